import { CONTRACT, type ScoreTask } from '../../container-contract/task.js';
import type { ScoredFormat } from '../../container-contract/places.js';
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
  picture: Uint8Array<ArrayBuffer>;
  style?: Uint8Array<ArrayBuffer>;
}

export interface Tried {
  /** What the scorer would store for the picture. */
  output: Uint8Array;
  /** What ran the model, e.g. `cpu`. */
  device: string;
  codec: string;
  milliseconds: WorkTimings;
  /** What the scorer said. */
  said: string[];
}

/**
 * Scores one picture as a container would, without any storage.
 * @param card complete.
 * @param ending of the output, as the card's kind of output allows.
 * @throws JobError `user` or `item`: what is wrong with the model, its card, the style picture or the picture.
 */
export async function tryPicture(
  { model, picture, style }: TrialFiles,
  { name, card, ending, device }: { name: string; card: ModelCard; ending: ScoredFormat; device: Device },
): Promise<Tried> {
  const task: ScoreTask = {
    contract: CONTRACT,
    jobId: 'trial',
    batch: 0,
    attempt: 1,
    items: [{ name, index: 0, input: name }],
    pack: 1,
    frames: 'ppm',
    output: { ending },
    card,
    device,
    progressBlob: 'progress',
    resultBlob: 'result',
    logBlob: 'log',
  };
  let output: Uint8Array | undefined;
  const noPacks = () => new Error('A trial has no packs and shares nothing.');
  const blobs = {
    readModel: () => Promise.resolve(model),
    readStyle: () => Promise.resolve(style),
    readInput: () => Promise.resolve(picture),
    storedItems: () => Promise.resolve(new Set<number>()),
    storeOutput: (_: string, bytes: Uint8Array) => {
      output = bytes;
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
      watch: { begin: () => undefined, end: () => undefined },
      report: () => Promise.resolve(),
      bell: { isRung: false },
      signal: never,
      abandon: never,
    });
  } finally {
    await engine.close();
  }
  const [failed] = tally.failed;
  if (failed) throw new JobError('user', `The picture ${name} cannot be scored: ${failed.reason}.`);
  if (output === undefined) throw new Error('The scorer stored nothing.');
  const { warnings = [] } = tally.result('completed', undefined);
  const { device: ran, codec, timings: milliseconds } = tally;
  return { output, device: ran, codec: codec ?? 'sharp', milliseconds, said: [...said, ...warnings] };
}
