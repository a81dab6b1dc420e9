import { setImmediate } from 'node:timers/promises';
import { type Backend, HistoryConflict } from '../../src/backend/backend.js';

const WRITES = new Set(['put', 'update', 'remove', 'append', 'park', 'parkTaken', 'clear', 'clearAll', 'setAside']);

type Call = () => Promise<unknown>;

export interface FaultyBackend {
  backend: Backend;
  /** Resolves when the fault has happened. */
  fault: Promise<void>;
  /** How many calls so far could have been the faulty one. */
  count: () => number;
}

/** The backend of a host that dies just before its nth write: from then on nothing is written and no call returns. */
export function dyingBefore(nth: number, backend: Backend): FaultyBackend {
  let writes = 0;
  let die = (): void => undefined;
  const fault = new Promise<void>((resolve) => (die = resolve));
  const never = new Promise<never>(() => undefined);
  const around = async (method: string, call: Call): Promise<unknown> => {
    if (WRITES.has(method)) writes += 1;
    if (writes < nth) return await call();
    die();
    return await never;
  };
  return { backend: withCalls(backend, around), fault, count: () => writes };
}

/**
 * The backend of a storage that takes the nth checkpoint while its answer is lost: the client library sends it again and
 * hears that the history has moved on.
 */
export function losingAnswer(nth: number, backend: Backend): FaultyBackend {
  let checkpoints = 0;
  let lose = (): void => undefined;
  const fault = new Promise<void>((resolve) => (lose = resolve));
  const around = async (method: string, call: Call): Promise<unknown> => {
    const answer = await call();
    if (method === 'append') checkpoints += 1;
    if (method !== 'append' || checkpoints !== nth) return answer;
    lose();
    throw new HistoryConflict('The answer was lost.');
  };
  return { backend: withCalls(backend, around), fault, count: () => checkpoints };
}

/** The backend of a storage that refuses the nth checkpoint. */
export function refusing(nth: number, backend: Backend): FaultyBackend {
  let checkpoints = 0;
  let refuse = (): void => undefined;
  const fault = new Promise<void>((resolve) => (refuse = resolve));
  const around = async (method: string, call: Call): Promise<unknown> => {
    if (method === 'append') checkpoints += 1;
    if (method !== 'append' || checkpoints !== nth) return await call();
    refuse();
    throw new Error('Storage is busy.');
  };
  return { backend: withCalls(backend, around), fault, count: () => checkpoints };
}

/** The backend of a storage that takes the row of a new instance, or does not, and answers with an error; the next looks at it fail. */
export function failingStarts(
  backend: Backend,
  { taken, unreadable }: { taken: boolean; unreadable: number },
): Backend {
  let hidden = 0;
  const around = async (method: string, call: Call): Promise<unknown> => {
    if (method === 'get' && hidden > 0) {
      hidden -= 1;
      throw new Error('Storage is away.');
    }
    if (method !== 'put') return await call();
    hidden = unreadable;
    if (taken) await call();
    throw new Error('The answer was lost.');
  };
  return withCalls(backend, around);
}

/** The backend of a storage that goes away when the instances are listed and those that it gave are loaded. */
export function listingBreaksOff(backend: Backend): Backend {
  async function* all(...args: Parameters<typeof backend.instances.all>) {
    yield* backend.instances.all(...args);
    await setImmediate();
    throw new Error('Storage is away.');
  }
  const instances = new Proxy(backend.instances, {
    get: (target, name) => {
      if (name === 'all') return all;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return { ...backend, hub: backend.hub, instances, histories: backend.histories };
}

/** A backend whose every call but `all` goes through `around`. */
function withCalls(backend: Backend, around: (method: string, call: Call) => Promise<unknown>): Backend {
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        if (name === 'all') return member.bind(target) as unknown;
        return (...args: unknown[]) => around(String(name), async () => await Reflect.apply(member, target, args));
      },
    });
  return {
    ...backend,
    hub: backend.hub,
    instances: wrap(backend.instances),
    histories: wrap(backend.histories),
    inbox: wrap(backend.inbox),
  };
}
