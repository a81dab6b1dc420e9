import { type Answer, refuse } from './answer.js';
import type { Mishap } from './mishap.js';

/**
 * Requests that a fault can spoil. Container groups: PUT, GET, DELETE, LOGS. Container Apps: CREATE and JOB (the job resource made
 * or read), START, LOOK (at executions), STOP. Both: USAGE.
 */
export type FaultyRequest =
  'PUT' | 'GET' | 'DELETE' | 'LOGS' | 'USAGE' | 'RIGHTS' | 'JOB' | 'CREATE' | 'START' | 'LOOK' | 'STOP';

interface Common {
  /** Used up after so many requests; 1 unless it says otherwise. */
  times?: number;
  /** Only what this text occurs in: the name of a group, or the environment of an execution. */
  of?: string;
}

/** The request is refused with this error and does nothing. */
export interface Refusal extends Common {
  on: FaultyRequest;
  status: number;
  code: string;
  message?: string;
  /** Seconds. */
  retryAfter?: number;
}

export type Fault =
  | Refusal
  /** The request does its work, but its answer never arrives: the connection is cut, or stays silent. */
  | (Common & { on: FaultyRequest; cut: true | 'silent' })
  /** Accepted, and never done: groups are known that go on, billed, after their deletion. */
  | (Common & { on: 'DELETE' | 'STOP'; ignored: true })
  | GroupFault
  | ExecutionFault;

/** What happens to the next group that is created. */
export type GroupFault = Common & { on: 'GROUP'; fate?: GroupFate; mishap?: Mishap };

/** What happens to the next execution that is started. */
export type ExecutionFault = Common & { on: 'EXECUTION'; fate?: ExecutionFate; mishap?: Mishap };

/** `no-capacity`: provisioning fails; `pull-error`: the image cannot be had; `never-starts`: stays Waiting for good. */
export type GroupFate = 'never-starts' | 'pull-error' | 'no-capacity' | 'slow-pull';

/** `never-starts`: no replica is ever assigned; `fails`: ends without having run; `twice`: one request starts two. */
export type ExecutionFate = 'never-starts' | 'fails' | 'twice' | 'slow-pull';

/** Faults in the order in which they were asked for. */
export class Faults {
  readonly #waiting: Fault[] = [];

  add(fault: Fault): void {
    this.#waiting.push({ ...fault });
  }

  /** The next fault for such a request about `subject`, which is thereby spent. */
  take<On extends Fault['on']>(on: On, subject: string): Extract<Fault, { on: On }> | undefined {
    const index = this.#waiting.findIndex((fault) => fault.on === on && subject.includes(fault.of ?? ''));
    const fault = this.#waiting[index];
    if (!fault) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.#waiting.splice(index, 1);
    return fault as Extract<Fault, { on: On }>;
  }
}

export function answerOf(fault: Refusal): Answer {
  const headers = fault.retryAfter === undefined ? undefined : { 'retry-after': String(fault.retryAfter) };
  return refuse(fault.status, fault.code, fault.message ?? 'Asked for by the test.', headers);
}
