import pMap from 'p-map';
import type { Observation, Place } from '../../compute/provider.js';
import type { AttemptEnd, BatchStanding, WatchEnd } from '../../job/attempts/attempt-end.js';
import {
  type AttemptRow,
  endedRow,
  fromAscii,
  inAscii,
  packRows,
  timedRow,
  unpackRows,
} from '../../job/attempts/attempt-row.js';
import { sumSplits, type TimeSplit } from '../../job/attempts/bottleneck.js';
import { type AttemptPhases, containerSeconds, type PhaseSums, sumsOf } from '../../job/attempts/phases.js';
import { type ComputeKind, nameOfChoice } from '../../job/compute-choice.js';
import type { Suspicion } from '../../job/attempts/suspicion.js';
import { addShapes, type ShapeSeconds, writeShape } from '../../job/estimate/prices.js';
import type { Blame } from '../../job/failure.js';
import type { SettledCounts } from '../../job/progress.js';
import { listMetadata, readJson, type Storage, writeJson } from '../../storage/storage.js';
import type { ItemRange } from '../../container-contract/places.js';
import { jobOf, parseBatchBlob, SETTLED_PREFIX, settledBlob } from '../layout.js';

const READS = 8;

/** How a container run ended, and where it ran. */
export interface EndedRun {
  attempt: number;
  /** What ran it; absent in records of older versions. */
  compute?: ComputeKind | undefined;
  end: AttemptEnd['end'];
  blame?: Blame | undefined;
  message: string;
  watchEnd: WatchEnd | 'given-up' | typeof NOT_LAUNCHED;
  exitCode?: number | undefined;
  place?: Place | undefined;
  /** The attempt that it was to help. */
  helps?: number | undefined;
  /** The items that were its own, where several containers have scored the batch. */
  ranges?: ItemRange[] | undefined;
}

/** Of a container that was to help and for which there was no room. */
export const NOT_LAUNCHED = 'not-launched';

/** What was seen of a container before it was removed. */
export interface SeenContainer {
  attempt: number;
  observation: Observation;
  /** When it was seen to have ended, ISO 8601. */
  seenEnded: string;
}

/** Where a batch stands after its latest attempt, and what was seen of the container before it was removed. */
export interface Settled extends SettledCounts {
  /** Attempts that have launched a container; absent in records of older versions, where it is all of them. */
  runs?: number;
  /** Why items are missing, or the first failed item and its reason; '' when all were scored. */
  message: string;
  observation: Observation;
  /** When its latest attempt was seen to have ended, ISO 8601; absent in records of older versions. */
  seenEnded?: string;
  /** What was seen of those that helped it and were settled with it; the latest attempt is the last of them. */
  helpers?: SeenContainer[] | undefined;
  /** Which items containers may have died of; absent while none has died. */
  suspicion?: Suspicion;
  /** The attempt that ran out of memory; those after it have more. */
  moreMemory?: number | undefined;
  /** Of all attempts in which a container ran. */
  phases: AttemptPhases[];
  /** Of all attempts that have launched a container; absent in records of older versions. */
  ends?: EndedRun[];
  /** Indices of the items that a batch has ended without; empty while it goes on. Only these may be missing in the output. */
  unscored: number[];
  /** While its latest attempts are being settled, the last one before them and where the batch stood then: the counts are still those. */
  settling?: { attempt: number; state: BatchStanding } | undefined;
  /** Of a batch that was given up, how many of `failed` it left behind; the others failed for their own reasons. */
  missing?: number;
}

/** What a listing tells of a settled batch. */
export interface ListedSettled extends SettledCounts {
  /** Attempts that have launched a container. */
  runs: number;
  /** As in `Settled`; 0 where nothing was given up. */
  missing: number;
  phases: PhaseSums;
  /** What the time of all its attempts went into. */
  split: TimeSplit;
  /** Seconds of its containers by their shapes; undefined where older versions have not kept them. */
  spent: ShapeSeconds | undefined;
  /** How many containers ran where. */
  ranOn: Record<string, number>;
  /** As in `Settled`, shortened. */
  message: string;
  /** Its attempts in their order; of many the last ones, and none in records of older versions. */
  rows: AttemptRow[];
}

export const writeSettled = (storage: Storage, jobId: string, settled: Settled): Promise<void> =>
  writeJson(jobOf(storage, jobId), settledBlob(settled.batch), settled, settledMetadata(settled));

/** What a listing is to tell. While an attempt is being settled, what its scorer has reported still counts on top of it. */
export function settledMetadata(settled: Settled): Record<string, string> {
  const { done, reused = 0, failed, missing = 0, settling, message, phases, ends = [] } = settled;
  const { attempt, state } = settling ?? settled;
  const { runs = attempt } = settled;
  return {
    attempt: String(attempt),
    runs: String(runs),
    done: String(done),
    ...(reused > 0 && { reused: String(reused) }),
    failed: String(failed),
    ...(missing > 0 && { missing: String(missing) }),
    state,
    phases: JSON.stringify(sumsOf(phases)),
    split: JSON.stringify(sumSplits(phases.map(({ split }) => split))),
    places: JSON.stringify(countPlaces(ends)),
    spent: JSON.stringify(spentBy(phases, ends)),
    ...(message !== '' && { message: inAscii(message) }),
    rows: packRows(rowsOf(settled)),
  };
}

function rowsOf({ ends = [], phases }: Settled): AttemptRow[] {
  const rows = new Map<number, AttemptRow>();
  for (const { watchEnd, compute, place, ...ended } of ends)
    if (watchEnd !== NOT_LAUNCHED)
      rows.set(ended.attempt, endedRow({ ...ended, place: placeName({ compute, place }) }));
  for (const each of phases) {
    const { attempt } = each;
    rows.set(attempt, timedRow(rows.get(attempt) ?? endedRow({ attempt, end: null, message: '' }), each));
  }
  return [...rows.values()].toSorted((one, other) => one.attempt - other.attempt);
}

/** On which compute and in which region a container ran; null where an older version has not written it down. */
const placeName = ({ compute: kind, place }: Pick<EndedRun, 'compute' | 'place'>): string | null =>
  kind === undefined ? null : nameOfChoice({ kind, region: place?.region });

/** How many containers ran on which compute and in which region. */
function countPlaces(ends: EndedRun[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of ends.flatMap((end) => placeName(end) ?? [])) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Seconds of containers by their shapes. */
const spentBy = (phases: AttemptPhases[], ends: EndedRun[]): ShapeSeconds =>
  addShapes(
    phases.map((each) => {
      const { compute, place } = ends.find(({ attempt }) => attempt === each.attempt) ?? {};
      return { [writeShape({ compute, ...place })]: containerSeconds(each) };
    }),
  );

/** Undefined before the first attempt was settled. */
export const readSettled = (storage: Storage, jobId: string, batch: number) =>
  readJson<Settled>(jobOf(storage, jobId), settledBlob(batch));

/** Indices of the items that the batches of a job have ended without. */
export async function readUnscored(storage: Storage, jobId: string): Promise<Set<number>> {
  const concerned = (await listSettled(storage, jobId)).filter(({ failed }) => failed > 0);
  const read = ({ batch }: ListedSettled) => readSettled(storage, jobId, batch);
  const settled = await pMap(concerned, read, { concurrency: READS });
  return new Set(settled.flatMap((batch) => batch?.unscored ?? []));
}

/** All settled batches of a job, from one listing. */
export async function listSettled(storage: Storage, jobId: string): Promise<ListedSettled[]> {
  const found: ListedSettled[] = [];
  for await (const { name, metadata } of listMetadata(jobOf(storage, jobId), SETTLED_PREFIX)) {
    const key = parseBatchBlob(name);
    if (key) found.push(settledOf(key.batch, metadata));
  }
  return found;
}

/** Reads what `settledMetadata` made. */
export function settledOf(batch: number, metadata: Record<string, string>): ListedSettled {
  const number = (field: string) => Number(metadata[field] ?? 0);
  return {
    batch,
    attempt: number('attempt'),
    runs: Number(metadata.runs ?? number('attempt')),
    done: number('done'),
    reused: number('reused'),
    failed: number('failed'),
    missing: number('missing'),
    state: (metadata.state ?? 'retrying') as BatchStanding,
    phases: JSON.parse(metadata.phases ?? '{}') as PhaseSums,
    split: JSON.parse(metadata.split ?? '{}') as TimeSplit,
    spent: metadata.spent === undefined ? undefined : (JSON.parse(metadata.spent) as ShapeSeconds),
    ranOn: JSON.parse(metadata.places ?? '{}') as Record<string, number>,
    message: fromAscii(metadata.message ?? ''),
    rows: metadata.rows === undefined ? [] : unpackRows(metadata.rows),
  };
}
