import { type Answer, refuse } from './answer.js';

/** Requests that a fault can spoil. */
export type FaultyRequest = 'PUT' | 'GET' | 'DELETE' | 'LOGS' | 'USAGE' | 'RIGHTS';

/** The request is refused with this error and does nothing. */
export interface Refusal {
  on: FaultyRequest;
  times?: number;
  status: number;
  code: string;
  message?: string;
  /** Seconds. */
  retryAfter?: number;
}

/** One fault, used up after `times` requests, which is once unless it says otherwise. */
export type Fault =
  | Refusal
  /** The request does its work, but its answer never arrives. */
  | { on: FaultyRequest; times?: number; cut: true }
  /** What happens to the next group that is created. */
  | { on: 'GROUP'; times?: number; fate: GroupFate };

/** `no-capacity`: provisioning fails; `pull-error`: the image cannot be had; `never-starts`: stays Waiting for good. */
export type GroupFate = 'never-starts' | 'pull-error' | 'no-capacity';

/** Faults in the order in which they were asked for. */
export class Faults {
  readonly #waiting: Fault[] = [];

  add(fault: Fault): void {
    this.#waiting.push({ ...fault });
  }

  /** The next fault for such a request, which is thereby spent. */
  take(on: Fault['on']): Fault | undefined {
    const index = this.#waiting.findIndex((fault) => fault.on === on);
    const fault = this.#waiting[index];
    if (!fault) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.#waiting.splice(index, 1);
    return fault;
  }
}

export function answerOf(fault: Refusal): Answer {
  const headers = fault.retryAfter === undefined ? undefined : { 'retry-after': String(fault.retryAfter) };
  return refuse(fault.status, fault.code, fault.message ?? 'Asked for by the test.', headers);
}
