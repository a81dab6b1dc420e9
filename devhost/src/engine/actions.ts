/** The numbers of the SDK's actions. */
export const ActionType = {
  CallActivity: 0,
  CallActivityWithRetry: 1,
  CallSubOrchestrator: 2,
  CallSubOrchestratorWithRetry: 3,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  WhenAny: 11,
  WhenAll: 12,
} as const;

const UNSUPPORTED: Record<number, string> = {
  7: 'callEntity',
  8: 'callHttp',
  9: 'signalEntity',
  10: 'scheduled signalEntity',
  13: 'lock',
  14: 'lock release',
};

export interface RetryOptions {
  firstRetryIntervalInMilliseconds: number;
  maxNumberOfAttempts: number;
  backoffCoefficient?: number;
  maxRetryIntervalInMilliseconds?: number;
  retryTimeoutInMilliseconds?: number;
}

export interface ActivityAction {
  actionType: 0 | 1;
  functionName: string;
  input?: unknown;
  retryOptions?: RetryOptions;
}

export interface SubOrchestratorAction {
  actionType: 2 | 3;
  functionName: string;
  instanceId?: string;
  input?: unknown;
  version?: string;
  retryOptions?: RetryOptions;
}

export interface TimerAction {
  actionType: 5;
  fireAt: string;
  isCanceled: boolean;
}

export interface CompoundAction {
  actionType: 11 | 12;
  compoundActions: Action[];
}

export type Action =
  | ActivityAction
  | SubOrchestratorAction
  | TimerAction
  | CompoundAction
  | { actionType: 4; input?: unknown }
  | { actionType: 6; externalEventName: string };

/** What the SDK says about a run of the orchestrator: every action since the execution began, and how it ended, if it did. */
export interface OrchestratorState {
  isDone: boolean;
  actions: Action[];
  output?: unknown;
  customStatus?: unknown;
  /** Set when the orchestrator threw. */
  error?: string;
}

/** The sentence for an action this host cannot carry out. */
export function unsupportedAction(actionType: number): string {
  return `The action ${UNSUPPORTED[actionType] ?? `number ${actionType}`} is not supported by this local host.`;
}
