import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { counted, JobError, messageOf } from '../../job/failure.js';
import type { ModelCard } from '../../model-card/schema.js';
import { isIn, type Share, spansOf } from '../../container-contract/share.js';
import type { ScoreTask, TaskItem } from '../../container-contract/task.js';
import type { Codec, Picture } from '../pictures/codec.js';
import { guardCodec } from '../pictures/guarded-codec.js';
import { loadCodec } from '../pictures/load-codec.js';
import { countGpus, type EnginePool } from '../engine/engine-pool.js';
import type { ScorerSettings } from '../../container-contract/environment.js';
import { planInput, sameSize } from '../pictures/geometry.js';
import type { Log } from '../records/attempt-log.js';
import type { InferenceWatch } from './inference-watch.js';
import { announceAhead, announceAlone } from './reach.js';
import { type ChangeShare, sharedStretches, type Stretch } from './shared-items.js';
import { type ItemBlobs, scoreItems } from './score-items.js';
import type { TaskBlobs } from './task-blobs.js';
import type { Tally } from '../records/tally.js';

interface Parts {
  settings: Pick<ScorerSettings, 'threads' | 'sessions' | 'visibleGpus' | 'codec' | 'device'>;
  blobs: Pick<TaskBlobs, 'readModel' | 'readStyle' | 'storedItems' | 'sharedRecord' | 'ring'> & ItemBlobs;
  engine: EnginePool;
  task: ScoreTask;
  tally: Tally;
  log: Log;
  watch: Pick<InferenceWatch, 'begin' | 'again' | 'end'>;
  /** Stores the progress as it is now. */
  report: () => Promise<void>;
  /** Whether another container has made itself heard. */
  bell: Readonly<{ isRung: boolean }>;
  /** No new item starts once it is aborted. */
  signal: AbortSignal;
  /** Ends the transfers that are still under way. */
  abandon: AbortSignal;
}

/**
 * Skips the items that have an output; when some are left, loads the model and scores them.
 * @throws JobError `user`: the model, its card or the style picture cannot be used; `platform`: storage failed.
 */
export async function scoreTask(parts: Parts): Promise<void> {
  const { settings, blobs, engine, task, tally, log, watch, report, bell, signal, abandon } = parts;
  const { account } = tally;
  const modelFile = settle(blobs.readModel(signal));
  const styleFile = settle(blobs.readStyle(signal));
  const codecLoad = settle(loadCodec(settings.codec, (sentence) => log(sentence, 'warn')));
  const { shareBlob } = task;
  const share = shareBlob === undefined ? undefined : blobs.sharedRecord<Share>(shareBlob);
  const remaining = await account.during('fetch', () => skipExisting(parts, share));
  if (remaining.length === 0 || signal.aborted) return;
  const codec = guardCodec(await open(codecLoad));
  try {
    const model = await account.during('fetch', () => open(modelFile));
    requireSame('model', model, task.sums?.model);
    const picture = await account.during('fetch', () => open(styleFile));
    if (picture) requireSame('style picture', picture, task.sums?.style);
    const style = await decodeStyle(picture, task.card, codec);
    tally.codec = codec.name;
    const { threads, sessions } = settings;
    const crew = { sessions, gpus: countGpus(settings.visibleGpus) };
    const { card } = task;
    // The device that the job asks for, else the one that the compute names for this container.
    const device = task.device === undefined || task.device === 'auto' ? settings.device : task.device;
    const loading = performance.now();
    tally.device = await account.during('modelLoad', () => engine.load({ model, card, style, threads, device }, crew));
    tally.timings.startup = performance.now();
    tally.timings.modelLoad = tally.timings.startup - loading;
    log(
      `model loaded on ${tally.device}, pictures by ${codec.name}, ready after ${(tally.timings.startup / 1000).toFixed(2)} s`,
    );
    tally.enter('scoring');
    const common = { blobs, codec, engine, task, tally, log, watch };
    const [alone, others] = apart(remaining, task.alone);
    if (alone.length > 0) {
      log(`${counted(alone.length, 'item')} of an earlier container that died are scored one by one first`);
      const announce = announceAlone(tally, report);
      await scoreItems(alone, { ...common, announce, oneByOne: true }, signal, abandon);
    }
    const stretches = share
      ? sharedStretches(others, {
          task,
          change: share,
          tally,
          report,
          bell,
          waitForShare: () => waitForShare(parts, share),
        })
      : oneStretch(others, parts);
    if (signal.aborted || others.length === 0) return;
    for await (const { items, announce } of stretches) {
      await scoreItems(items, { ...common, announce, oneByOne: false }, signal, abandon);
      if (signal.aborted) return;
    }
  } finally {
    codec.close();
  }
}

/** How often a container that is to help looks whether the other one has heard it, and for how long. */
const ASK_MS = 500;
const MOST_ASKED = 240;

/** @returns undefined when the container that is to be helped has ended, or says nothing. */
async function waitForShare({ blobs, task, tally, signal }: Parts, share: ChangeShare): Promise<Share | undefined> {
  const { helpedBlob } = task;
  for (let asked = 1; asked <= MOST_ASKED && !signal.aborted; asked += 1) {
    const found = await share((now) => now);
    if (found) {
      tally.waited();
      return found;
    }
    if (helpedBlob === undefined || !(await blobs.ring(helpedBlob))) break;
    await delay(ASK_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

async function* oneStretch(items: TaskItem[], { task, tally, report }: Parts): AsyncGenerator<Stretch> {
  yield {
    items,
    announce: announceAhead(items, tally, report, { pack: task.packSeconds === undefined ? task.pack : 1 }),
  };
}

/** The items that are to be scored alone, in that order, and the others. */
function apart(items: TaskItem[], alone: number[] = []): [alone: TaskItem[], others: TaskItem[]] {
  const byIndex = new Map(items.map((item) => [item.index, item]));
  const first = alone.flatMap((index) => byIndex.get(index) ?? []);
  return [first, items.filter((item) => !first.includes(item))];
}

/** @returns the items without an output. Of those with one, a container that helps counts what an earlier process of it has stored. */
async function skipExisting(
  { blobs, task, tally, signal }: Parts,
  share: ChangeShare | undefined,
): Promise<TaskItem[]> {
  const { items, attempt, helps } = task;
  const [first, last] = [items[0]?.index, items.at(-1)?.index];
  if (first === undefined || last === undefined) return [];
  const stored = await blobs.storedItems({ first, last, pack: task.pack }, signal);
  const now = helps === undefined ? undefined : await share?.((before) => before);
  const own = helps === undefined ? [{ first, last }] : now ? spansOf(now, attempt) : [];
  for (const item of items) if (stored.has(item.index) && isIn(own, item.index)) tally.itemSkipped(item);
  if (helps !== undefined) tally.elsewhere = items.filter(({ index }) => !isIn(own, index)).length;
  return task.items.filter((item) => !stored.has(item.index));
}

/** @throws JobError `user` when the file is not the one that the job was started with: some of its items may have been scored with that. */
function requireSame(what: string, file: Uint8Array, sum: string | undefined): void {
  if (sum === undefined || createHash('sha256').update(file).digest('hex') === sum) return;
  throw new JobError(
    'user',
    `The ${what} was replaced while its job ran: put back the one that the job was started with and start the job once more, or score everything again with {"fromScratch": true}.`,
  );
}

/** The style picture, scaled as the card asks. */
async function decodeStyle(file: Uint8Array | undefined, card: ModelCard, codec: Codec): Promise<Picture | undefined> {
  if (card.style === null) return undefined;
  if (file === undefined)
    throw new JobError('user', `The model wants a style picture for its input "${card.style.name}": name one.`);
  try {
    const picture = await codec.decode(file);
    const { scaled } = planInput(card.style.size, picture);
    return sameSize(scaled, picture) ? picture : await codec.resize(picture, scaled);
  } catch (cause) {
    throw new JobError('user', `The style picture cannot be used, give a PNG or JPEG: ${messageOf(cause)}`, { cause });
  }
}

type Settled<T> = Promise<{ value: T } | { error: unknown }>;

/** Lets work start early: if it fails, the error is thrown only where the result is opened. */
function settle<T>(work: Promise<T>): Settled<T> {
  return work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

async function open<T>(settled: Settled<T>): Promise<T> {
  const outcome = await settled;
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}
