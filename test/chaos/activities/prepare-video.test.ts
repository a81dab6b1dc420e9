import { execFileSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createPrepareJob } from '../../../src/activities/prepare/prepare-job.js';
import { createLocalCompute } from '../../../src/compute/local/provider.js';
import { chunkFrames } from '../../../src/job/plan.js';
import { parseSpec } from '../../../src/job/spec.js';
import { withFetchedVideo } from '../../../src/job-store/videos/fetched-video.js';
import { mediaBlob, modelBlob, modelsOf } from '../../../src/job-store/layout.js';
import { readVideoJob } from '../../../src/job-store/resolved-job.js';
import { createMedia } from '../../../src/media/media.js';
import { createModelInspector, type ModelInspector } from '../../../src/scorer/engine/inspect/inspect.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { SILENT } from '../../../src/telemetry/telemetry.js';
import { NO_NOTICES } from '../../support/no-notices.js';
import { tools } from '../../support/clip.js';
import { ROOT } from '../../support/scorer/harness.js';
import { findingModel, modelFile, resizingModel, tensorInfo } from '../../support/scorer/tiny-model.js';
import { openAzurite } from '../../support/storage.js';

const storage = openAzurite(inject('storage'));
const folder = mkdtempSync(path.join(os.tmpdir(), 'prepare-video-'));
const inspect = createModelInspector({}, path.join(ROOT, 'dist/scorer/engine/inspect/inspect-main.js'));
let inspected = 0;
const inspectModel: ModelInspector = (...given) => {
  inspected += 1;
  return inspect(...given);
};
const local = createLocalCompute({});
let free = Infinity;
/** How often the video of a URL was fetched. */
let fetched = 0;
const prepareJob = createPrepareJob({
  urls: {
    check: () => undefined,
    fetch: () => {
      fetched += 1;
      return Promise.resolve(createReadStream(path.join(folder, 'flat.mp4')));
    },
  },
  storage,
  media: createMedia(tools),
  compute: { local, aci: local, 'container-apps': local },
  inspectModel,
  tempFolder: folder,
  freeBytes: () => Promise.resolve(free),
  bundledModels: folder,
  telemetry: SILENT,
  notices: NO_NOTICES,
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function putVideo(name: string, size: string, shape: string): Promise<void> {
  const file = path.join(folder, name);
  const picture = ['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=5:duration=0.4,setsar=${shape}`];
  execFileSync(tools.ffmpeg, ['-loglevel', 'error', ...picture, '-c:v', 'libx264', '-pix_fmt', 'yuv444p', file]);
  await mediaBlob(storage, `inbox/${name}`).uploadFile(file);
}

beforeAll(async () => {
  await storage.media.getContainerClient('inbox').createIfNotExists();
  await modelsOf(storage).createIfNotExists();
  await Promise.all([putVideo('flat.mp4', '63x45', '4/3'), putVideo('broad.mp4', '2000x50', '1/1')]);
});

async function putModel(name: string, model: Buffer, card?: object): Promise<void> {
  await modelsOf(storage).getBlockBlobClient(modelBlob(name)).uploadData(model);
  if (card)
    await modelsOf(storage)
      .getBlockBlobClient(`${name}.json`)
      .uploadData(Buffer.from(JSON.stringify(card)));
}

let jobs = 0;

async function prepare(model: string, video: string, rest: object = {}) {
  jobs += 1;
  const jobId = `prepare-${jobs}`;
  const spec = parseSpec(JSON.stringify({ input: { video: `inbox/${video}` }, model, ...rest }));
  await prepareJob({ jobId, spec });
  return readVideoJob(storage, jobId);
}

describe('a video and a model that gives pictures of another size', () => {
  const stretched = { sampleAspect: { num: 4, den: 3 } };

  test.each([
    ['halves', resizingModel({ across: 1.5 }), { width: 94, height: 67, ...stretched }],
    ['fixes', resizingModel({ width: 63, height: 90 }), { width: 63, height: 90, sampleAspect: { num: 8, den: 3 } }],
  ])('make a video of that size in the shape that the source shows (%s)', async (name, model, shape) => {
    await putModel(name, model);
    expect((await prepare(name, 'flat.mp4')).shape).toEqual(shape);
  });

  test('make chunks of as many frames as the larger pictures allow', async () => {
    await putModel('large', resizingModel({ across: 4 }));
    const { chunkFrames: frames, video } = await prepare('large', 'broad.mp4');
    expect(frames).toBeLessThan(chunkFrames(video) / 3);
  });

  test('have their frames stored raw, but as PNG where the disk of the storage has too little room', async () => {
    await putModel('half-as-large', resizingModel({ across: 1.5 }));
    // Two frames of 63x45 pixels and two of 94x67 take 54,798 bytes.
    for (const [left, format] of [
      [Infinity, 'ppm'],
      [61_000, 'ppm'],
      [60_000, 'png'],
      [1000, 'png'],
    ] as const) {
      free = left;
      const { spec } = await prepare('half-as-large', 'flat.mp4').finally(() => {
        free = Infinity;
      });
      expect(spec.output.frameFormat, `${left} bytes left`).toBe(format);
    }
  });

  test('are refused before anything is scored where the codec does not hold such a side', async () => {
    await putModel('huge', resizingModel({ across: 9 }));
    await expect(prepare('huge', 'broad.mp4')).rejects.toThrow(/18000x450 .*h264 holds at most 16384/);
  });
});

/** A model that halves and doubles what it gets, as networks with a bottleneck do, and takes even sizes only. */
const onlyEven = modelFile({
  node: [
    operatorNode('MaxPool', ['x'], 'half', { kernel_shape: [2, 2], strides: [2, 2] }),
    constantNode('twice', Float32Array.of(1, 1, 2, 2), [4]),
    operatorNode('Resize', ['half', '', 'twice'], 'whole', { mode: 'nearest' }),
    operatorNode('Add', ['x', 'whole'], 'y'),
  ],
  input: [tensorInfo('x', [1, 3, 'height', 'width'])],
  output: [tensorInfo('y', [1, 3, 'height', 'width'])],
});

test('a card that does not go with what the model does is refused with what to change', async () => {
  await putModel('wrong', resizingModel({ across: 4 }), { output: { scale: 3 } });
  const refused = prepare('wrong', 'flat.mp4');
  await expect(refused).rejects.toMatchObject({ blame: 'user' });
  await expect(refused).rejects.toThrow(/\[1,3,768,1024\] of 256x192 pixels.*"output\.scale" of 3: correct it/);
});

test('a first frame that cannot be scored ends the job, unless frames may fail', async () => {
  await putModel('even', onlyEven);
  await expect(prepare('even', 'flat.mp4')).rejects.toThrow(/first frame of inbox\/flat\.mp4 cannot be scored: .+/);
  await expect(prepare('even', 'flat.mp4', { tolerate: { failedItems: 1 } })).resolves.toBeDefined();
  await putModel('evened', onlyEven, { input: { size: { multipleOf: 2 } } });
  await expect(prepare('evened', 'flat.mp4')).resolves.toBeDefined();
});

describe('a model that gives no pictures', () => {
  const found = findingModel([{ box: [0, 0, 1, 1], scores: [0.9, 0] }]);
  beforeAll(async () => {
    await putModel('finds', found, { output: { kind: 'detections' } });
    await putModel('kept', resizingModel({ across: 1 }));
  });

  test('gives predictions, and a video only when they are drawn into it', async () => {
    const alone = await prepare('finds', 'flat.mp4');
    expect(alone).toMatchObject({ output: `outbox/${alone.jobId}/`, predictions: `outbox/${alone.jobId}/` });
    const drawn = await prepare('finds', 'flat.mp4', { output: { draw: true, predictions: 'outbox/found/' } });
    expect(drawn).toMatchObject({ output: `outbox/${drawn.jobId}.mp4`, predictions: 'outbox/found/' });
    expect(drawn.shape).toBeUndefined();
  });

  test.each([
    [
      'finds',
      { video: 'outbox/a.mp4' },
      /gives detections and no pictures; set "output\.draw" \(--draw\) .*leave "output\.video"/,
    ],
    ['finds', { quality: 'best' }, /set "output\.draw"/],
    ['kept', { draw: true }, /gives pictures.*leave "output\.draw" \(--draw\) out/],
    ['kept', { predictions: 'outbox/a/' }, /gives pictures and no predictions; leave "output\.predictions" out/],
  ])('is refused what it cannot give (%s, %j)', async (model, output, sentence) => {
    await expect(prepare(model, 'flat.mp4', { output })).rejects.toThrow(sentence);
  });
});

test('a model that was tried is not loaded again for frames of the same size, unless the file has changed', async () => {
  await putModel('often', resizingModel({ across: 1 }));
  const counts = [];
  for (const video of ['flat.mp4', 'flat.mp4', 'broad.mp4']) {
    expect((await prepare('often', video)).shape).toBeUndefined();
    counts.push(inspected);
  }
  await putModel('often', resizingModel({ across: 2 }));
  expect((await prepare('often', 'flat.mp4')).shape).toMatchObject({ width: 126 });
  const [first = 0] = counts;
  expect([...counts, inspected]).toEqual([first, first, first + 1, first + 2]);
});

test('a video that its URL names is fetched once, however often the job is prepared, and is then the job’s own', async () => {
  await putModel('fetching', resizingModel({ across: 1 }));
  const jobId = 'prepare-fetched';
  const url = 'https://media.example.com/flat.mp4';
  const spec = withFetchedVideo(parseSpec(JSON.stringify({ input: { url }, model: 'fetching' })), jobId);
  await prepareJob({ jobId, spec });
  const { video, spec: kept, output } = await readVideoJob(storage, jobId);
  expect({ width: video.width, height: video.height, output }).toEqual({
    width: 63,
    height: 45,
    output: `outbox/${jobId}.mp4`,
  });
  expect(kept.input).toMatchObject({ url, video: `work-${jobId}/_uploads/flat.mp4` });
  await prepareJob({ jobId, spec });
  expect(fetched).toBe(1);
});
