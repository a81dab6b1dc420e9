import { type Evidence, MEANINGS } from './attempt-end.js';

/** What a container run that scored items one by one, each announced before, says of the one that it died of. */
export interface LoneDeath {
  attempt: number;
  /** Of the item. */
  index: number;
  name: string;
  /** How the container ended. */
  why: string;
  /** Whether the end itself shows that the program broke at its work, as a crash does; being killed may have come from outside. */
  isTelling: boolean;
}

/** What is held against items of a batch whose containers ended without a result; starts as `NO_SUSPICION`. */
export interface Suspicion {
  /** Indices of the items that the last container may have died of, in order: the next one scores them first, one by one. */
  suspects: number[];
  deaths: LoneDeath[];
}

export const NO_SUSPICION: Suspicion = { suspects: [], deaths: [] };

/** Without what an attempt has added that was settled before. */
export const suspicionBefore = ({ suspects, deaths }: Suspicion, attempt: number): Suspicion => ({
  suspects,
  deaths: deaths.filter((each) => each.attempt < attempt),
});

export type Death = Pick<LoneDeath, 'why' | 'isTelling'>;

/** An attempt that has ended, as far as it tells of what it was at. */
export interface EndedAttempt {
  attempt: number;
  /** Items that were to be scored one by one, in order. */
  alone: number[];
  /** Items of the batch, in order, that have no output and no recorded failure. */
  missing: number[];
  /** How its container ended, where that may be the fault of an item. */
  death?: Death | undefined;
  /** Whether the next container is given what this one lacked: then an item that was alone is not to blame yet. */
  isExcused?: boolean;
  /** What its last report says: the item that was scored alone then, or up to which item work may have come. */
  at?: { alone?: number | undefined; reach?: number | undefined } | undefined;
  /** Items that its model was busy with for too long, as it says itself. */
  hung?: number[] | undefined;
  nameOf: (index: number) => string;
}

/**
 * What to hold against items after an attempt: a container that dies is at any of those that it had announced; one that scored them one by
 * one was at the one that it had announced last. Items that have an output are free of it.
 */
export function suspect(suspicion: Suspicion, ended: EndedAttempt): Suspicion {
  const { attempt, alone, death, at, hung, nameOf, isExcused = false } = ended;
  const missing = new Set(ended.missing);
  const { deaths } = suspicionBefore(suspicion, attempt);
  const left = alone.filter((index) => missing.has(index));
  if (at?.reach !== undefined) {
    const { reach } = at;
    const taken = death ? ended.missing.filter((index) => index <= reach) : (hung ?? []);
    return { suspects: taken.filter((index) => missing.has(index)), deaths };
  }
  if (death && !isExcused && at?.alone !== undefined && missing.has(at.alone))
    deaths.push({ attempt, index: at.alone, name: nameOf(at.alone), ...death });
  return { suspects: left, deaths };
}

/** What is held against items after several containers that have scored a batch together: each was at items of its own. */
export function together(suspicions: Suspicion[]): Suspicion {
  const [first = NO_SUSPICION] = suspicions;
  if (suspicions.length <= 1) return first;
  const suspects = new Set(suspicions.flatMap((each) => each.suspects));
  return { suspects: [...suspects].toSorted((one, other) => one - other), deaths: first.deaths };
}

/** 128 and the number of a signal with which a program breaks: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV. */
const CRASHES = new Set([132, 133, 134, 135, 136, 139]);
/** Of SIGINT and SIGTERM: somebody wanted it to end. */
const ASKED_TO_END = new Set([130, 143]);

/** How a container ended, where an item may be at fault for it: not where its scorer, its platform or its user are known to be. */
export function deathOf({ watchEnd, container, result }: Omit<Evidence, 'missing' | 'stop'>): Death | undefined {
  if (result || container.blame !== undefined) return undefined;
  const { exitCode = -1, reason, outOfMemory } = container;
  if (watchEnd === 'stalled') return { why: MEANINGS.stalled.message, isTelling: true };
  if (watchEnd !== 'ended' || reason === undefined || ASKED_TO_END.has(exitCode)) return undefined;
  return { why: reason, isTelling: CRASHES.has(exitCode) || outOfMemory === 'likely' };
}

/** Deaths of containers that were at nothing else, after which an item is to blame, when none of them shows a crash. */
const ENOUGH_DEATHS = 2;

/** An item that is not scored again. */
export interface Condemned {
  index: number;
  name: string;
  reason: string;
}

/** The items that containers have died of: at first together with others, then alone. */
export function condemned({ deaths }: Suspicion): Condemned[] {
  const latest = new Map(deaths.map((death) => [death.index, death]));
  return [...latest.values()].flatMap(({ index, name, why }) => {
    const own = deaths.filter((death) => death.index === index);
    if (own.length < ENOUGH_DEATHS && !own.some(({ isTelling }) => isTelling)) return [];
    const times = own.length === 1 ? 'twice' : `${own.length + 1} times`;
    return [{ index, name, reason: `the container ended ${times} while it scored this item, at last alone: ${why}` }];
  });
}
