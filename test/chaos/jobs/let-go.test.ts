import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Stage } from '../../../src/job/progress.js';
import { jobContainer, MANIFEST, tasksPrefix, workContainer } from '../../../src/job-store/layout.js';
import type { Manifest } from '../../../src/job-store/manifest.js';
import { checkManifest } from '../../support/manifest.js';
import { makeClip } from '../../support/clip.js';
import { processesWith, runningOn } from '../../support/processes.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { useOwnStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

// Small chunks: the stages of a long video, whose orchestrations wait for those below them.
const stack = useOwnStack({ env: { CHUNK_FRAMES: '20' } });
const FRAMES = 60;

let video = '';
let model = '';
beforeAll(async () => {
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '640x360', rate: '12', seconds: FRAMES / 12 });
  const file = path.join(stack.folder, 'quick.onnx');
  writeFileSync(file, tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] }));
  video = await stack.client.upload('video', clip);
  model = await stack.client.upload('model', file);
});

const ENDS = {
  DELETE: { end: (id: string) => stack.client.cancel(id), message: 'The job was cancelled.' },
  terminate: {
    end: async (id: string) => {
      const instance = `${stack.url}/runtime/webhooks/durabletask/instances/${id}`;
      const { status } = await fetch(`${instance}/terminate?reason=enough`, { method: 'POST' });
      expect(status).toBe(202);
    },
    message: 'The job was terminated.',
  },
};

/** Whatever runs for a job: its scorers, and programs that work on its files. */
const running = (id: string) => [...processesWith(jobContainer(id)), ...runningOn(`scoring-${id}/`)];

async function manifestOf(id: string): Promise<Manifest | undefined> {
  const blob = stack.storage.getContainerClient(jobContainer(id)).getBlobClient(MANIFEST);
  if (!(await blob.exists())) return undefined;
  return checkManifest(await blob.downloadToBuffer());
}

const start = (input: object) =>
  stack.client.start({ input, model, batch: { size: 20, maxParallel: 2 }, output: { keepFrames: true } });

async function letsGo(input: object, stage: Stage, how: keyof typeof ENDS) {
  const { end, message } = ENDS[how];
  const id = await start(input);
  await until(`stage ${stage}`, async () => ((await stack.client.status(id)).stage === stage ? true : undefined), 50);
  await end(id);
  const ended = await until(
    'the end',
    async () => {
      const { state } = await stack.client.status(id);
      const manifest = await manifestOf(id);
      const over = state !== 'running' && manifest !== undefined && running(id).length === 0;
      return over ? manifest : undefined;
    },
    100,
  );
  expect(ended).toMatchObject({ outcome: 'cancelled', message });
  expect(await stack.client.status(id)).toMatchObject({
    state: 'cancelled',
    error: { kind: 'user', message },
    batches: { running: 0 },
    output: null,
  });
  await countsRuns(id, ended);
}

/** Each container that was launched is counted once, and nothing is said of a restart. */
async function countsRuns(id: string, { totals }: Manifest) {
  const blobs = stack.storage.getContainerClient(jobContainer(id));
  let tasks = 0;
  for await (const _ of blobs.listBlobsFlat({ prefix: tasksPrefix() })) tasks += 1;
  expect(totals.attempts).toBe(tasks);
  expect((await stack.client.status(id)).attempts).toBe(tasks);
  const { lines } = await stack.client.logs(id, { from: '' });
  expect(lines.map(({ message }) => message).join()).not.toMatch(/restarted/);
}

test.each<[Stage, keyof typeof ENDS]>([
  ['prepare', 'DELETE'],
  ['split', 'terminate'],
  ['score', 'terminate'],
  ['stitch', 'DELETE'],
])('a job lets go during %s after %s, and all say the same of it', (stage, how) => letsGo({ video }, stage, how));

test('a job that takes longer than it may is ended with what it has scored, and nothing of it runs on', async () => {
  const id = await stack.client.start({
    input: { video },
    model: 'starry-night',
    batch: { size: 20, maxParallel: 2 },
    timeouts: { jobSeconds: 6 },
  });
  const ended = await stack.ended(id);
  expect(ended).toMatchObject({ state: 'failed', error: { kind: 'user' } });
  expect(ended.error?.message).toMatch(/^The job took longer than timeouts.jobSeconds \(6\), so it was ended; /);
  expect((await manifestOf(id))?.message).toBe(ended.error?.message);
  expect(running(id)).toEqual([]);
  // On a slow machine it may not have come to that.
  const hasBatches = ended.stages.score !== undefined;
  expect(await stack.storage.getContainerClient(workContainer(id)).exists()).toBe(hasBatches);
});
