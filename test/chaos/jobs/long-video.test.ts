import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createMedia } from '../../../src/media/media.js';
import { jobContainer, segmentBlob, workContainer } from '../../../src/job-store/layout.js';
import { tools } from '../../support/clip.js';
import { packetHashes } from '../../support/media.js';
import { resizingModel } from '../../support/scorer/tiny-model.js';
import { useOwnStack } from '../../support/stack.js';

const stack = useOwnStack({ env: { CHUNK_FRAMES: '10' } });
const media = createMedia(tools);

test('a job whose video is longer than a chunk goes through in chunks and comes back whole, as large as the model makes it', async () => {
  const doubling = path.join(stack.folder, 'doubling.onnx');
  writeFileSync(doubling, resizingModel({ across: 2 }));
  const source = path.join(stack.folder, 'long.mp4');
  const inputs = '-f lavfi -i testsrc2=size=160x120:rate=12:duration=3 -f lavfi -i sine=duration=3'.split(' ');
  const encode = '-c:v libx264 -g 6 -pix_fmt yuv420p -c:a aac'.split(' ');
  execFileSync(tools.ffmpeg, ['-loglevel', 'error', ...inputs, ...encode, source]);
  const input = { video: await stack.client.upload('video', source) };
  const model = await stack.client.upload('model', doubling);
  const id = await stack.client.start({ input, model, output: { keepFrames: true } });
  expect(await stack.ended(id)).toMatchObject({ state: 'done', items: { total: 36, done: 36 } });
  const internal = stack.storage.getContainerClient(jobContainer(id));
  const chunks = JSON.parse((await internal.getBlobClient('chunks.json').downloadToBuffer()).toString()) as unknown[];
  expect(chunks.length).toBeGreaterThan(3);
  expect(await stack.storage.getContainerClient(workContainer(id)).getBlobClient(segmentBlob(3)).exists()).toBe(true);
  const output = path.join(stack.folder, 'painted.mp4');
  await stack.client.download(id, 'output', output);
  expect(await media.probe(output)).toMatchObject({
    framesEstimate: 36,
    durationSeconds: 3,
    width: 320,
    height: 240,
  });
  const build = { name: 'found', tools, media };
  expect(packetHashes(build, output)).toEqual(packetHashes(build, source));
});
