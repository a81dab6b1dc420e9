import type { ExecutionStarted, HistoryEvent, ScheduledEvent } from './history-events.js';
import { isScheduled, settledTask } from './history-events.js';
import { newId } from './lineage.js';
import type { ReplayEnd } from './replay-types.js';
import type { Turn } from './turn.js';

/** One execution of an instance: ContinueAsNew replaces it by the next. */
export class Execution {
  readonly start: ExecutionStarted;
  readonly history: HistoryEvent[];
  #open: Map<number, ScheduledEvent>;

  constructor(start: ExecutionStarted, history: HistoryEvent[]) {
    this.start = start;
    this.history = history;
    this.#open = openTasks(history);
  }

  get id(): string {
    return this.start.OrchestrationInstance.ExecutionId;
  }

  /** Scheduled work without an outcome, by task number. */
  get open(): ReadonlyMap<number, ScheduledEvent> {
    return this.#open;
  }

  /** Takes in a turn that has been stored. Cancelled timers are no longer open, whatever the history says. */
  absorb(turn: Turn): void {
    this.history.push(...turn.events);
    const open = [...this.#open.values(), ...turn.scheduled].filter(({ EventId }) => turn.open.has(EventId));
    this.#open = new Map(open.map((event) => [event.EventId, event]));
  }

  /** The execution that ContinueAsNew asks for: a new id and input, same parent. */
  next(end: Extract<ReplayEnd, { kind: 'continuedAsNew' }>): Execution {
    const { InstanceId } = this.start.OrchestrationInstance;
    return new Execution(
      {
        ...this.start,
        OrchestrationInstance: { InstanceId, ExecutionId: newId() },
        Input: JSON.stringify(end.input ?? null),
        Generation: this.start.Generation + 1,
      },
      [],
    );
  }
}

function openTasks(history: readonly HistoryEvent[]): Map<number, ScheduledEvent> {
  const open = new Map<number, ScheduledEvent>();
  for (const event of history) {
    const settled = settledTask(event);
    if (settled !== undefined) open.delete(settled);
    if (isScheduled(event)) open.set(event.EventId, event);
  }
  return open;
}
