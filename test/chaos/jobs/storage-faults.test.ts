import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LeftOut } from '../../../src/job/items/left-out.js';
import type { JobStatus } from '../../../src/api/jobs.js';
import { uploadFolder } from '../../../src/cli/client/folders.js';
import { JobError } from '../../../src/job/failure.js';
import { splitPath } from '../../../src/job-store/layout.js';
import { makeClip } from '../../support/clip.js';
import { useFaultyStack } from '../../support/faulty-stack.js';
import { paint } from '../../support/scorer/pictures.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { until } from '../../support/wait.js';

/** `STORAGE_FAULT_JOBS=12 STORAGE_FAULT_RATE=0.05 STORAGE_FAULT_SEED=7` runs more jobs, with more faults, or others. */
const count = Number(process.env.STORAGE_FAULT_JOBS ?? 2);
const rate = Number(process.env.STORAGE_FAULT_RATE ?? 0.03);
const seed = Number(process.env.STORAGE_FAULT_SEED ?? 1);
const SECONDS_PER_JOB = 240;

const stack = useFaultyStack(seed);
const kinds = ['video', 'images'] as const;
type Kind = (typeof kinds)[number];

let model = '';
const inputs = {} as Record<Kind, object>;
const reference = {} as Record<Kind, string>;

/** A client asks again when it is told to try later, as one of a user would. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  return until('an answer', async () => {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof JobError && error.blame === 'platform') return undefined;
      throw error;
    }
  });
}

async function run(kind: Kind): Promise<JobStatus> {
  const spec = { input: inputs[kind], model, batch: { maxParallel: 2 } };
  const id = await patiently(() => stack.client.start(spec));
  const ended = async () => {
    const status = await patiently(() => stack.client.status(id));
    return status.state === 'queued' || status.state === 'running' ? undefined : status;
  };
  return until(`the end of ${id}`, ended, SECONDS_PER_JOB, 500);
}

/** One hash over names and bytes of all that a job has delivered. */
async function hashOf({ output }: JobStatus): Promise<string> {
  const { container: name, blob: prefix } = splitPath(output ?? '');
  const container = stack.storage.media.getContainerClient(name);
  const hash = createHash('sha256');
  for await (const blob of container.listBlobsFlat({ prefix })) {
    hash.update(prefix.endsWith('/') ? blob.name.slice(prefix.length) : path.extname(blob.name));
    hash.update(await container.getBlobClient(blob.name).downloadToBuffer());
  }
  return hash.digest('hex');
}

beforeAll(async () => {
  const network = path.join(stack.folder, 'copy.onnx');
  writeFileSync(network, tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] }));
  model = await stack.client.upload('model', network);
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { seconds: 1 });
  inputs.video = { video: await stack.client.upload('video', clip) };
  const folder = path.join(stack.folder, 'pictures');
  mkdirSync(folder);
  for (let index = 0; index < 10; index += 1) {
    const picture = sharp(paint(60 + index, 40).data, { raw: { width: 60 + index, height: 40, channels: 3 } });
    writeFileSync(path.join(folder, `${index}.png`), await picture.png().toBuffer());
  }
  inputs.images = { images: await uploadFolder(stack.client, folder, '', new LeftOut()) };
  for (const kind of kinds) {
    const status = await run(kind);
    expect(status).toMatchObject({ state: 'done', error: null });
    reference[kind] = await hashOf(status);
  }
  stack.proxy.rate = rate;
});

afterAll(() => {
  const { requests, struck } = stack.proxy;
  console.log(`${count} jobs, ${requests} requests to storage, of which went wrong: ${JSON.stringify(struck)}.`);
});

test.each(Array.from({ length: count }, (_, index) => ({ index, kind: kinds[index % kinds.length] ?? 'video' })))(
  'a job ($index, $kind) ends right although requests to storage go wrong everywhere',
  { timeout: SECONDS_PER_JOB * 1000 },
  async ({ kind }) => {
    const status = await run(kind);
    expect(status).toMatchObject({ state: 'done', error: null, items: { failed: 0 } });
    expect(await hashOf(status)).toBe(reference[kind]);
  },
);
