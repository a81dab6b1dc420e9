import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { uploadFolder } from '../../src/cli/client/folders.js';
import { COMPUTE_KINDS, type ComputeKind } from '../../src/job/compute-choice.js';
import { LeftOut } from '../../src/job/items/left-out.js';
import { pick } from '../support/chaos/faults.js';
import { makeClip } from '../support/clip.js';
import { paint } from '../support/scorer/pictures.js';
import { findingModel } from '../support/scorer/tiny-model.js';
import type { World } from './world.js';

/** What a job has for input and makes of it: a video of a video, pictures of pictures, tables of a video. */
export const JOB_KINDS = ['video', 'pictures', 'boxes'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export const ITEMS: Record<JobKind, number> = { video: 12, pictures: 9, boxes: 12 };
const WIDTH = 128;
const HEIGHT = 72;

export interface Asked {
  kind: JobKind;
  compute: ComputeKind;
  batchSize: number;
}

/** Three jobs side by side, one on each compute. */
export const askJobs = (random: () => number): Asked[] =>
  COMPUTE_KINDS.map((compute) => ({ kind: pick(random, JOB_KINDS), compute, batchSize: pick(random, [4, 6]) }));

export type SpecOf = (asked: Asked) => object;

/** Uploads what jobs of all kinds need. @returns the specification of a job. */
export async function prepareJobs({ client, folder }: World): Promise<SpecOf> {
  const files = path.join(folder, 'inputs');
  const pictures = path.join(files, 'pictures');
  mkdirSync(pictures, { recursive: true });
  const clip = makeClip(path.join(files, 'clip.mp4'), { size: `${WIDTH}x${HEIGHT}`, seconds: ITEMS.video / 12 });
  const painted = paint(WIDTH, HEIGHT).data;
  for (let index = 0; index < ITEMS.pictures; index += 1) {
    painted[index] = 255 - (painted[index] ?? 0);
    const picture = sharp(painted, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
    writeFileSync(path.join(pictures, `${index}.png`), await picture.png().toBuffer());
  }
  const model = path.join(files, 'finder.onnx');
  const card = path.join(files, 'finder.json');
  writeFileSync(model, findingModel([{ box: [0.25, 0.25, 0.75, 0.75], scores: [0.125, 0.75] }]));
  writeFileSync(card, JSON.stringify({ output: { kind: 'detections', labels: ['cat', 'dog'] } }));
  const video = await client.upload('video', clip);
  const what: Record<JobKind, object> = {
    video: { input: { video }, model: 'starry-night' },
    pictures: {
      input: { images: await uploadFolder(client, pictures, '', new LeftOut()) },
      model: 'starry-night',
    },
    boxes: { input: { video }, model: await client.upload('model', model, { card }) },
  };
  return ({ kind, compute, batchSize }) => ({
    ...what[kind],
    compute: { kind: compute },
    batch: { size: batchSize, maxParallel: 2, pack: 2 },
    retry: { maxAttempts: 10, firstDelaySeconds: 0 },
    timeouts: { provisionSeconds: 20, stallSeconds: 15 },
  });
}
