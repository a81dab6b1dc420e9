import { expect, it } from 'vitest';
import { JobError } from '../../../src/job/failure.js';
import type { Codec } from '../../../src/scorer/pictures/codec.js';
import { scoreItems } from '../../../src/scorer/run/score-items.js';
import { CONTRACT, type ScoreTask, type TaskItem } from '../../../src/container-contract/task.js';
import type { ItemTimings } from '../../../src/container-contract/result.js';
import { Tally } from '../../../src/scorer/records/tally.js';
import { TimeAccount } from '../../../src/scorer/records/time-account.js';
import { cardFor } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';

const card = cardFor({}, ['b', 3, 'h', 'w']);
const items = ['a', 'b', 'c'].map((name, index) => ({ name, index }));
const task: ScoreTask = {
  contract: CONTRACT,
  jobId: 'test',
  batch: 0,
  attempt: 1,
  items,
  card,
  pack: 1,
  frames: 'png',
  output: { ending: 'png' },
  progressBlob: 'p',
  resultBlob: 'r',
  logBlob: 'l',
};
const codec: Codec = {
  name: 'sharp',
  decode: () => Promise.resolve(paint(4, 4)),
  encode: () => Promise.resolve(Buffer.from('scored')),
  encodeMask: () => Promise.resolve(Buffer.from('scored')),
  resize: (picture) => Promise.resolve(picture),
};

/** Does not read frames that begin so. */
const BROKEN = 7;
const choosy: Codec = {
  ...codec,
  decode: ([first]) =>
    first === BROKEN
      ? Promise.reject(new JobError('item', 'the picture cannot be read: it is cut off'))
      : Promise.resolve(paint(4, 4)),
};

const newTally = (keep: (timings: ItemTimings) => void = () => {}) =>
  new Tally(task, new Date(0).toISOString(), new TimeAccount(), keep);

/** Scores three items with an engine that says so of its network, one answer after the other. */
async function scoreWith(...answers: (boolean | string)[]) {
  const { stored, ...scored } = await score(answers);
  expect(stored.toSorted()).toEqual(items.map(({ index }) => `scored/000000${index}.png`));
  return scored;
}

async function score(
  answers: (boolean | string)[],
  own = items.length,
  frames = 1,
  readFrame: (name: string) => Promise<Uint8Array<ArrayBuffer>> = () => Promise.resolve(new Uint8Array(1)),
  given: TaskItem[] = items,
) {
  const stored: string[] = [];
  const log: string[] = [];
  const tally = newTally();
  const blobs = {
    readInput: readFrame,
    readFrame,
    readPack: async function* () {},
    storeOutput: (output: string) => Promise.resolve(void stored.push(output)),
    storePack: () => Promise.resolve(),
  };
  const engine = {
    size: 1,
    starved: 0,
    score: (pictures: unknown[]) =>
      Promise.resolve({
        outcomes: pictures.map(() => ({
          ok: true as const,
          output: { kind: 'picture' as const, picture: paint(4, 4) },
        })),
        optimized: answers.shift() ?? true,
        prepare: 0,
        infer: 0,
        finish: 0,
      }),
  };
  const { signal } = new AbortController();
  const watch = { begin: () => undefined, again: () => undefined, end: () => undefined };
  const announce = ({ index }: { index: number }) => Promise.resolve(index < own);
  const batched = { ...task, card: { ...card, batch: frames } };
  const parts = { blobs, codec: choosy, engine, task: batched, tally, watch, announce, oneByOne: false };
  await scoreItems(given, { ...parts, log: (sentence) => log.push(sentence) }, signal, signal);
  return { result: tally.result('completed', undefined), lost: tally.lostFrames(), log, stored };
}

it('items that another container has taken over meanwhile are left to it, and those before do not wait for them', async () => {
  const { stored } = await score([], 1, 3);
  expect(stored).toEqual(['scored/0000000.png']);
});

it('frames that are gone are neither scored nor failed, those beside them are scored, and the platform is to blame', async () => {
  const gone = (name: string) =>
    name.includes('0000001')
      ? Promise.reject(new JobError('item', `${name} does not exist`))
      : Promise.resolve(new Uint8Array(1));
  const { stored, result, lost } = await score([], items.length, 3, gone);
  expect(stored.toSorted()).toEqual(['scored/0000000.png', 'scored/0000002.png']);
  expect(result).toMatchObject({ done: ['a', 'c'], failed: [], lost: [1] });
  expect(lost).toMatchObject({
    blame: 'platform',
    message: expect.stringContaining('frames/0000001.png does not exist'),
  });
});

const broken = (name: string) => Promise.resolve(new Uint8Array([name.includes('1') ? BROKEN : 0]));

it('frames that the app has stored as pictures and that cannot be read any more are lost, with the name of their files', async () => {
  const { stored, result, lost } = await score([], items.length, 3, broken);
  expect(stored.toSorted()).toEqual(['scored/0000000.png', 'scored/0000002.png']);
  expect(result).toMatchObject({ done: ['a', 'c'], failed: [], lost: [1] });
  expect(lost).toMatchObject({
    blame: 'platform',
    message: expect.stringMatching(/frames\/0000001\.png: the picture cannot be read: it is cut off$/),
  });
});

it('pictures of a user that cannot be read fail by name', async () => {
  const pictures = items.map((item) => ({ ...item, input: `folder/${item.index}.png` }));
  const { result, lost } = await score([], items.length, 3, broken, pictures);
  expect(result).toMatchObject({ failed: [{ name: 'b', reason: 'the picture cannot be read: it is cut off' }] });
  expect(lost).toBeUndefined();
});

it.each([true, false])('the result says whether the model ran in its optimized form: %s', async (optimized) => {
  const { result, log } = await scoreWith(optimized, optimized, optimized);
  expect(result.optimized).toBe(optimized);
  expect(log).toEqual([]);
});

it('log and result give the reason, once, when one session went back to the network of the file', async () => {
  const { result, log } = await scoreWith(true, 'its output "y" differs', true);
  expect(result.optimized).toBe('its output "y" differs');
  expect(log).toEqual([expect.stringContaining('its output "y" differs')]);
});

it('the result leaves out how the model ran when no item was scored', () => {
  expect(newTally().result('completed', undefined).optimized).toBeUndefined();
});
