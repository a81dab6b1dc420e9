import { setTimeout as sleep } from 'node:timers/promises';
import type { AppFunction } from '../app/function-registry.js';
import { firstLineOf, messageOf, UserFault } from '../log.js';
import { textOf } from './app-settings.js';
import { parseSchedule, type Schedule } from './ncrontab.js';
import { parseStatus, statusAfterRun, statusAtStart, statusMembers, type TimerStatus } from './timer-status.js';
import { runOnce, type Services } from './trigger-run.js';

/** Where the statuses of timers outlive the host, as JSON by the name of the function. */
export interface TimerStatuses {
  read(name: string): Promise<string | undefined>;
  write(name: string, status: string): Promise<unknown>;
}

/** Node's timers know no longer time. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

/**
 * The app's timer functions, each of which waits for itself; nothing runs yet.
 * @throws UserFault for a schedule that cannot be read.
 */
export function timerListeners(functions: AppFunction[], statuses: TimerStatuses, services: Services): TimerListener[] {
  return functions.map((target) => new TimerListener(target, scheduleOf(target), statuses, services));
}

/**
 * Runs a timer function when it is due, as the real host does (azure-webjobs-sdk-extensions, TimerListener.cs): never twice at a time, and
 * once when runs were missed, be it because the host was down or because a run took long. What it throws is logged and the next run comes
 * all the same.
 */
export class TimerListener {
  readonly #stopping = new AbortController();
  readonly #isMonitored: boolean;
  #listening: Promise<void> = Promise.resolve();

  constructor(
    private readonly target: AppFunction,
    private readonly schedule: Schedule,
    private readonly statuses: TimerStatuses,
    private readonly services: Services,
  ) {
    this.#isMonitored = target.trigger['useMonitor'] !== false && schedule.isMonitored;
  }

  start(): void {
    this.#listening = this.#listen();
  }

  /** Begins no more runs, and resolves when the one under way is over. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#listening;
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stopping;
    const { status: begun, isPastDue } = await this.#begin();
    let status = begun;
    const runsNow = isPastDue || this.target.trigger['runOnStartup'] === true;
    if (runsNow && !signal.aborted) status = await this.#run(status, { onSchedule: false, isPastDue });
    while (await sleepUntil(status.next, signal))
      status = await this.#run(status, { onSchedule: true, isPastDue: false });
  }

  async #begin(): Promise<{ status: TimerStatus; isPastDue: boolean }> {
    const stored = this.#isMonitored ? await this.#read() : undefined;
    const begun = statusAtStart(this.schedule, stored, new Date());
    if (begun.status !== stored) await this.#write(begun.status);
    return begun;
  }

  async #run(
    status: TimerStatus,
    { onSchedule, isPastDue }: { onSchedule: boolean; isPastDue: boolean },
  ): Promise<TimerStatus> {
    const begun = new Date();
    const info = {
      Schedule: { AdjustForDST: this.schedule.isCron },
      ScheduleStatus: this.#isMonitored ? statusMembers(status) : null,
      IsPastDue: isPastDue,
    };
    await runOnce(this.target, { data: { json: JSON.stringify(info) } }, this.services);
    const after = statusAfterRun(this.schedule, status, begun, onSchedule);
    await this.#write(after);
    return after;
  }

  async #read(): Promise<TimerStatus | undefined> {
    try {
      return parseStatus((await this.statuses.read(this.target.name)) ?? '');
    } catch (error) {
      this.services.log.warn(`Whether '${this.target.name}' missed a run is not known: ${firstLineOf(error)}`);
      return undefined;
    }
  }

  async #write(status: TimerStatus): Promise<void> {
    if (!this.#isMonitored) return;
    try {
      await this.statuses.write(this.target.name, JSON.stringify(statusMembers(status)));
    } catch (error) {
      this.services.log.warn(`When '${this.target.name}' ran could not be stored: ${firstLineOf(error)}`);
    }
  }
}

function scheduleOf(target: AppFunction): Schedule {
  const text = textOf(target, 'schedule');
  try {
    return parseSchedule(text);
  } catch (error) {
    throw new UserFault(`The schedule '${text}' of function '${target.name}' cannot be used: ${messageOf(error)}`);
  }
}

/** False when the signal came before the time. */
async function sleepUntil(time: Date, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    const rest = time.getTime() - Date.now();
    if (signal.aborted) return false;
    if (rest <= 0) return true;
    const slept = await sleep(Math.min(rest, LONGEST_SLEEP_MS), true, { signal }).catch(() => false);
    if (!slept) return false;
  }
}
