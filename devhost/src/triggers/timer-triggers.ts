import { Cron } from 'croner';
import { type Log, messageOf, UserFault } from '../log.js';
import type { AppFunction } from '../app/function-registry.js';
import type { Invoker } from '../app/invoker.js';
import { type ExportSpans, functionSpan } from '../tracing/spans.js';
import { beginTrace } from '../tracing/trace-context.js';

/** The app's timer functions: schedules are NCRONTAB with six fields, seconds first, in UTC as in Azure. */
export class TimerTriggers {
  readonly #jobs: Cron[] = [];

  /**
   * Reads every schedule; nothing runs yet.
   * @throws UserFault for a schedule that cannot be read.
   */
  constructor(
    private readonly functions: AppFunction[],
    private readonly invoker: Invoker,
    private readonly log: Log,
    private readonly exportSpans: ExportSpans | undefined,
  ) {
    for (const target of functions) this.#jobs.push(this.#schedule(target));
  }

  start(): void {
    for (const job of this.#jobs) job.resume();
    for (const target of this.functions) if (target.trigger['runOnStartup'] === true) void this.#run(target, undefined);
  }

  stop(): void {
    for (const job of this.#jobs) job.stop();
  }

  #schedule(target: AppFunction): Cron {
    const text = withSettings(target);
    // As in Azure a run that is due while the last one still goes on is left out.
    const options = { paused: true, protect: true, timezone: 'UTC', mode: '6-part' } as const;
    try {
      const job: Cron = new Cron(text, options, () => this.#run(target, job.nextRun() ?? undefined));
      return job;
    } catch (error) {
      throw new UserFault(
        `The schedule '${text}' of function '${target.name}' cannot be used: ${messageOf(error)} It takes six fields, such as '0 */5 * * * *'; this host knows no time spans.`,
      );
    }
  }

  /** Runs the function once; what it throws is logged and the next run comes all the same. */
  async #run(target: AppFunction, next: Date | undefined): Promise<void> {
    const now = new Date().toISOString();
    const status = { Last: now, Next: next?.toISOString() ?? now, LastUpdated: now };
    const info = { Schedule: { AdjustForDST: true }, ScheduleStatus: status, IsPastDue: false };
    const trace = beginTrace();
    let ok = true;
    try {
      await this.invoker.invoke(target, { data: { json: JSON.stringify(info) }, trace });
    } catch (error) {
      ok = false;
      this.log.write('error', target.name, messageOf(error));
    }
    this.exportSpans?.([functionSpan(target.name, { trace, start: now }, { ok })]);
  }
}

/** `%NAME%` as a whole takes the schedule from a setting. */
function withSettings({ name, trigger }: AppFunction): string {
  const text = typeof trigger['schedule'] === 'string' ? trigger['schedule'] : '';
  const setting = /^%(.+)%$/.exec(text)?.[1];
  if (setting === undefined) return text;
  const value = process.env[setting];
  if (!value)
    throw new UserFault(`Function '${name}' takes its schedule from the setting ${setting}, which is not set.`);
  return value;
}
