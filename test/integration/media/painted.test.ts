import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timetableOf } from '../../../src/media/timetable.js';
import { builds, collect, PICTURE_ONLY, psnrPerFrame, sample } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = path.resolve(import.meta.dirname, '../../../models/starry-night.onnx');
const pictures = path.join(folder, 'painted');
let painted: string[] = [];

beforeAll(async () => {
  const media = builds[0]?.media;
  if (media) painted = await paintSome(media.split(sample, { format: 'png', facts: await media.probe(sample) }));
});

describe.each(builds)('painted frames through ffmpeg from $name', (build) => {
  const { media } = build;
  const out = (name: string) => path.join(folder, `${path.basename(build.name)}-${name}`);

  it('are shown at 35 dB or better', async () => {
    const facts = await media.probe(sample);
    const timetable = timetableOf(
      painted.map((_, index) => index * (facts.timeBase.den / facts.frameRate.num)),
      facts,
    );
    const output = out('painted.mp4');
    const request = { format: 'png', source: sample, facts, timetable, others: PICTURE_ONLY, codec: 'h264' } as const;
    await media.stitch({ ...request, frames: readPictures(painted), output });
    // 4:2:0 halves the resolution of colour, so a frame is compared with what is left of it there.
    const left = 'scale=out_color_matrix=bt601:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int,format=yuv420p';
    const shown = psnrPerFrame(build, output, pictures, left);
    expect(shown).toHaveLength(painted.length);
    expect(Math.min(...shown)).toBeGreaterThan(35);
  });
});

async function* readPictures(files: string[]) {
  for (const file of files) yield Buffer.concat(await collect<Buffer>(createReadStream(file)));
}

/** Four frames in a row painted by the bundled network. */
async function paintSome(frames: AsyncIterable<Buffer>): Promise<string[]> {
  mkdirSync(pictures, { recursive: true });
  const session = await InferenceSession.create(model);
  const files: string[] = [];
  for await (const frame of frames) {
    const file = path.join(pictures, `${files.length}.png`);
    writeFileSync(file, await paint(session, frame));
    if (files.push(file) === 4) break;
  }
  return files;
}

async function paint(session: InferenceSession, frame: Buffer): Promise<Buffer> {
  const { data, info } = await sharp(frame).raw().toBuffer({ resolveWithObject: true });
  const area = info.width * info.height;
  const values = Float32Array.from({ length: 3 * area }, (_, i) => data[(i % area) * 3 + Math.floor(i / area)] ?? 0);
  const input = new Tensor('float32', values, [1, 3, info.height, info.width]);
  const results = await session.run({ [session.inputNames[0] ?? '']: input });
  const output = results[session.outputNames[0] ?? '']?.data;
  if (!(output instanceof Float32Array)) throw new Error('the network gave no float tensor');
  const rgb = Uint8ClampedArray.from({ length: 3 * area }, (_, i) => output[(i % 3) * area + Math.floor(i / 3)] ?? 0);
  return sharp(rgb, { raw: { width: info.width, height: info.height, channels: 3 } })
    .png()
    .toBuffer();
}
