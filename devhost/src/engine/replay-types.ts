import type { OrchestratorState } from './actions.js';
import type { EventRaised, HistoryEvent, ScheduledBody } from './history-events.js';

export interface ReplayRequest {
  /** The whole history of the current execution, this turn's messages included. */
  history: readonly HistoryEvent[];
  state: OrchestratorState;
  executionId: string;
  isKnown(kind: 'activity' | 'orchestrator', name: string): boolean;
  warn(message: string): void;
}

export type ReplayEnd =
  | { kind: 'completed'; output: unknown }
  | { kind: 'failed'; error: string }
  | { kind: 'continuedAsNew'; input: unknown; carried: EventRaised[] };

export interface ReplayResult {
  /** New work in the order of its numbers; each becomes a history event. */
  scheduled: { id: number; body: ScheduledBody }[];
  /** The numbers of all tasks still open: an armed timer that is not among them was cancelled. */
  open: Set<number>;
  end: ReplayEnd | undefined;
}
