import type { Container } from './container.js';

/**
 * Requests that a fault can spoil. Container groups: PUT, GET, DELETE, LOGS. Container Apps: CREATE and JOB (the job resource made
 * or read), START, LOOK (at executions), STOP. Both: USAGE.
 */
export type FaultyRequest =
  'PUT' | 'GET' | 'DELETE' | 'LOGS' | 'USAGE' | 'RIGHTS' | 'JOB' | 'CREATE' | 'START' | 'LOOK' | 'STOP';

interface Common {
  /** How many requests it spoils; 1 unless it says otherwise. */
  times?: number;
  /**
   * Strikes only where this text occurs: in the name of a group, in the region where one is created, in the environment of an execution,
   * or in the path of a quota.
   */
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
  /** Azure accepts it and never does it: some groups are known to go on, billed, after their deletion. */
  | (Common & { on: 'DELETE' | 'STOP'; ignored: true })
  | GroupFault
  | ExecutionFault;

/** What happens to the next group that is created. */
export type GroupFault = Common & { on: 'GROUP'; fate?: GroupFate; mishap?: Mishap };

/** What happens to the next execution that is started. */
export type ExecutionFault = Common & { on: 'EXECUTION'; fate?: ExecutionFate; mishap?: Mishap };

/** What befalls a running container, so many milliseconds after its start. */
export type Mishap = { afterMs: number } & (
  | { kind: 'end'; exitCode: number }
  /** It stops doing anything, and does not end. */
  | { kind: 'hang' }
  /** The platform forgets it. */
  | { kind: 'lose' }
  /** The platform evicts it and starts it again elsewhere. */
  | { kind: 'restart' }
);

/** `no-capacity`: provisioning fails; `pull-error`: the image cannot be had; `never-starts`: stays Waiting for good. */
export type GroupFate = 'never-starts' | 'pull-error' | 'no-capacity' | 'slow-pull';

/** `never-starts`: no replica is ever assigned; `fails`: ends without having run; `twice`: one request starts two. */
export type ExecutionFate = 'never-starts' | 'fails' | 'twice' | 'slow-pull';

/** Faults in the order in which the tests asked for them. */
export class Faults {
  readonly #waiting: Fault[] = [];

  add(fault: Fault): void {
    this.#waiting.push({ ...fault });
  }

  /** The next fault for such a request about `subject`; taking it uses it up. */
  take<On extends Fault['on']>(on: On, subject: string): Extract<Fault, { on: On }> | undefined {
    const index = this.#waiting.findIndex((fault) => fault.on === on && subject.includes(fault.of ?? ''));
    const fault = this.#waiting[index];
    if (!fault) return undefined;
    fault.times = (fault.times ?? 1) - 1;
    if (fault.times <= 0) this.#waiting.splice(index, 1);
    return fault as Extract<Fault, { on: On }>;
  }
}

/** Lets a mishap befall the container when its time comes; `lose` and `restart` are what the container's owner does then. */
export function befall(container: Container, mishap: Mishap, lose: () => void, restart: () => void): NodeJS.Timeout {
  const strike = () => {
    if (container.finishedAt) return;
    if (mishap.kind === 'hang') container.hang();
    else if (mishap.kind === 'end') void container.kill(mishap.exitCode);
    else void container.kill().then(mishap.kind === 'lose' ? lose : restart);
  };
  return setTimeout(strike, mishap.afterMs).unref();
}
