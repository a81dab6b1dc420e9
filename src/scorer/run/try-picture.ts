import { CONTRACT, type ScoreTask } from '../../container-contract/task.js';
import { parseScoredPart, type ScoredFormat } from '../../container-contract/places.js';
import type { WorkTimings } from '../../container-contract/result.js';
import type { Device } from '../../job/compute-choice.js';
import { JobError } from '../../job/failure.js';
import type { ModelCard } from '../../model-card/schema.js';
import { EnginePool } from '../engine/engine-pool.js';
import { Tally } from '../records/tally.js';
import { TimeAccount } from '../records/time-account.js';
import { scoreTask } from './score-task.js';

export interface TrialFiles {
  model: Uint8Array<ArrayBuffer>;
  pictures: { name: string; bytes: Uint8Array<ArrayBuffer> }[];
  style?: Uint8Array<ArrayBuffer>;
}

export interface Tried {
  /** What the scorer would store for each picture. */
  outputs: Uint8Array[];
  /** What ran the model, e.g. `cpu`. */
  device: string;
  codec: string;
  milliseconds: WorkTimings;
  /** What the scorer said. */
  said: string[];
}

/**
 * Scores pictures as a container would, without any storage.
 * @param card complete.
 * @param ending of the output, as the card's kind of output allows.
 * @throws JobError `user` or `item`: what is wrong with the model, its card, the style picture or the picture.
 */
export async function tryPictures(
  { model, pictures, style }: TrialFiles,
  { card, ending, device }: { card: ModelCard; ending: ScoredFormat; device: Device },
): Promise<Tried> {
  const task: ScoreTask = {
    contract: CONTRACT,
    jobId: 'trial',
    batch: 0,
    attempt: 1,
    items: pictures.map(({ name }, index) => ({ name, index, input: String(index) })),
    pack: 1,
    frames: 'ppm',
    output: { ending },
    card,
    device,
    progressBlob: 'progress',
    resultBlob: 'result',
    logBlob: 'log',
  };
  const outputs: Uint8Array[] = [];
  const noPacks = () => new Error('A trial has no packs and shares nothing.');
  const blobs = {
    readModel: () => Promise.resolve(model),
    readStyle: () => Promise.resolve(style),
    readInput: (index: string) => Promise.resolve(pictures[Number(index)]?.bytes ?? new Uint8Array()),
    storedItems: () => Promise.resolve(new Set<number>()),
    storeOutput: (name: string, bytes: Uint8Array) => {
      outputs[parseScoredPart(name)?.first ?? 0] = bytes;
      return Promise.resolve();
    },
    readFrame: () => Promise.reject(noPacks()),
    readPack: () => {
      throw noPacks();
    },
    storePack: () => Promise.reject(noPacks()),
    sharedRecord: () => {
      throw noPacks();
    },
    ring: () => Promise.resolve(false),
  };
  const account = new TimeAccount();
  const engine = new EnginePool((busy, since) => account.engineBusy(busy, since));
  const tally = new Tally(task, new Date(performance.timeOrigin).toISOString(), account, () => undefined);
  const said: string[] = [];
  const never = new AbortController().signal;
  try {
    await scoreTask({
      settings: { threads: undefined, sessions: undefined, visibleGpus: undefined, codec: 'auto', device },
      blobs,
      engine,
      task,
      tally,
      log: (sentence, level) => level === 'warn' && said.push(sentence),
      watch: { begin: () => undefined, again: () => undefined, end: () => undefined },
      report: () => Promise.resolve(),
      bell: { isRung: false },
      signal: never,
      abandon: never,
    });
  } finally {
    await engine.close();
  }
  const [failed] = tally.failed;
  if (failed) throw new JobError('user', `The picture ${failed.name} cannot be scored: ${failed.reason}.`);
  const { warnings = [] } = tally.result('completed', undefined);
  const { device: ran, codec, timings: milliseconds } = tally;
  return { outputs, device: ran, codec: codec ?? 'sharp', milliseconds, said: [...said, ...warnings] };
}
