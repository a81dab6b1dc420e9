import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { VideoFacts } from '../../src/media/media.js';
import {
  builds,
  collect,
  compareRgb,
  data,
  decodeRgb,
  hasData,
  packetHashes,
  psnrPerFrame,
  runningTools,
  sample,
  startOf,
} from '../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const root = path.resolve(import.meta.dirname, '../..');
const video = (name: string) => path.join(data, 'videos', name);

describe.each(builds)('split and stitch with ffmpeg from $name', (build) => {
  const { media, name: buildName } = build;
  const out = (name: string) => path.join(folder, `${path.basename(buildName)}-${name}`);

  async function roundTrip(source: string, name: string, format: 'png' | 'jpg' = 'png') {
    const facts = await media.probe(source);
    const output = out(name);
    await media.stitch({ frames: media.split(source, { format, facts }), format, source, facts, output });
    return { facts, output, after: await media.probe(output) };
  }

  const expectSame = (before: VideoFacts, after: VideoFacts) => {
    const { framesEstimate, audioStreams, frameRate } = before;
    expect(after).toMatchObject({ framesEstimate, audioStreams, frameRate, pixelFormat: 'yuv420p', codec: 'h264' });
    expect(Math.abs(after.durationSeconds - before.durationSeconds)).toBeLessThanOrEqual(frameRate.den / frameRate.num);
    expect(Math.abs(after.startTime - before.startTime)).toBeLessThan(0.001);
  };

  it.each(['png', 'jpg'] as const)(
    'keeps count, rate, duration, sound, picture and colours of the sample through %s',
    async (format) => {
      const { facts, output, after } = await roundTrip(sample, `sample-${format}.mp4`, format);
      expectSame(facts, after);
      expect(after.colour).toEqual(facts.colour);
      expect(packetHashes(build, output)).toEqual(packetHashes(build, sample));
      expect(startOf(build, output, 'a:0')).toBe(startOf(build, sample, 'a:0'));
      const { psnr, shift } = compareRgb(decodeRgb(build, sample), decodeRgb(build, output));
      expect(psnr).toBeGreaterThan(35);
      for (const channel of shift) expect(Math.abs(channel)).toBeLessThan(1);
    },
  );

  it.skipIf(!hasData).each([
    ['realshort.mp4', 36],
    ['derived/bbb_ntsc2997_h264_aac.mp4', 62],
    ['mb_sar_2x1.mp4', 150],
    ['tc_nasa_13013.mp4', 325],
    ['mb_edts.mp4', 225],
    ['derived/single_frame.mp4', 1],
  ])('gives back %s with its %i frames', async (name, frames) => {
    const { facts, output, after } = await roundTrip(video(name), path.basename(name));
    expect(facts.framesEstimate).toBe(frames);
    expectSame(facts, after);
    expect(after.sampleAspect).toEqual(facts.sampleAspect);
    expect(packetHashes(build, output)).toEqual(packetHashes(build, video(name)));
    const { psnr, shift } = compareRgb(decodeRgb(build, video(name)), decodeRgb(build, output));
    expect(psnr).toBeGreaterThan(35);
    for (const channel of shift) expect(Math.abs(channel)).toBeLessThan(1);
  });

  it.skipIf(!hasData)(
    'adds a column and a row to an odd size and keeps the offset between picture and sound',
    async () => {
      const source = video('derived/bbb_odd_321x181_vp9_opus.webm');
      const { facts, output, after } = await roundTrip(source, 'odd.mp4');
      expectSame(facts, after);
      expect(after).toMatchObject({ width: 322, height: 182 });
      expect(packetHashes(build, output)).toEqual(packetHashes(build, source));
    },
  );

  it('shows painted frames at 35 dB or better', async () => {
    const pictures = path.join(folder, 'painted');
    const painted = await paintSome(pictures, media.split(sample, { format: 'png' }));
    const facts = await media.probe(sample);
    const stitch = (pixelFormat: 'yuv420p' | 'yuv444p', output: string) =>
      media.stitch({ frames: readPictures(painted), format: 'png', source: sample, facts, output, pixelFormat });
    await stitch('yuv420p', out('painted.mp4'));
    const shown = psnrPerFrame(
      build,
      out('painted.mp4'),
      pictures,
      'scale=out_color_matrix=bt601:out_range=tv,format=yuv420p',
    );
    expect(shown).toHaveLength(painted.length);
    expect(Math.min(...shown)).toBeGreaterThan(35);
    await stitch('yuv444p', out('painted444.mp4'));
    const exact = psnrPerFrame(build, out('painted444.mp4'), pictures, 'format=gbrp');
    expect(Math.min(...exact)).toBeGreaterThan(35);
  });

  it('kills ffmpeg when the consumer stops early, and holds it back while the consumer is busy', async () => {
    const frames = media.split(sample, { format: 'png' });
    expect((await frames.next()).done).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect(runningTools()).toHaveLength(1);
    await frames.return(undefined);
    expect(runningTools()).toEqual([]);
  });

  it('stops split and stitch on an abort, leaving no process and no half file', async () => {
    const stop = new AbortController();
    const facts = await media.probe(sample);
    const output = out('aborted.mp4');
    async function* frames() {
      let count = 0;
      for await (const frame of media.split(sample, { format: 'png', facts })) {
        yield frame;
        count += 1;
        if (count === 5) stop.abort(new Error('enough'));
      }
    }
    const done = media.stitch({ frames: frames(), format: 'png', source: sample, facts, output, signal: stop.signal });
    await expect(done).rejects.toThrow('enough');
    await expect(collect(media.split(sample, { format: 'png', facts, signal: stop.signal }))).rejects.toThrow('enough');
    expect([existsSync(output), existsSync(`${output}.part`), runningTools()]).toEqual([false, false, []]);
  });

  it('passes on what goes wrong with the frames, and does not lose a broken one', async () => {
    const facts = await media.probe(sample);
    const [first = Buffer.alloc(0)] = await collect(media.split(sample, { format: 'png', facts }));
    const stitch = (frames: AsyncIterable<Buffer>, output = out('bad.mp4')) =>
      media.stitch({ frames, format: 'png', source: sample, facts, output });
    async function* failing() {
      yield first;
      throw new Error('the store is gone');
    }
    await expect(stitch(failing())).rejects.toThrow('the store is gone');
    const broken = Buffer.from(first);
    broken.fill(7, 200, 5000);
    await expect(stitch(list([first, broken, first]))).rejects.toMatchObject({ kind: 'user' });
    await expect(stitch(list([]))).rejects.toThrow('There is no frame');
    await expect(stitch(list([first]), out('x.gif'))).rejects.toThrow('must end in .mp4');
    await expect(stitch(list([first]), path.join(folder, 'no/folder/x.mp4'))).rejects.toThrow(
      /ffmpeg could not write x.mp4: .*No such file/,
    );
    expect([existsSync(out('bad.mp4')), runningTools()]).toEqual([false, []]);
  });

  it('draws a contact sheet of pictures of any size and kind', async () => {
    const picture = (width: number, height: number, background: string) =>
      sharp({ create: { width, height, channels: 3, background } });
    const [red, blue] = [
      await picture(480, 270, '#f00').png().toBuffer(),
      await picture(720, 720, '#00f').jpeg().toBuffer(),
    ];
    const output = out('100%d sheet.png');
    await media.contactSheet(
      [
        { before: red, after: blue },
        { before: red, after: red },
      ],
      output,
    );
    const { data: pixels, info } = await sharp(readFileSync(output)).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 2 * 480 + 3 * 6, height: 2 * 270 + 3 * 6 });
    const at = (x: number, y: number) => [...pixels.subarray((y * info.width + x) * info.channels).subarray(0, 3)];
    expect([at(20, 20), at(20, 400), at(720, 400), at(3, 3)]).toEqual([
      [255, 0, 0],
      [255, 0, 0],
      [255, 0, 0],
      [32, 32, 32],
    ]);
    expect(at(720, 140)[2]).toBeGreaterThan(240);
  });
});

async function* list(frames: Buffer[]) {
  yield* frames;
}

async function* readPictures(files: string[]) {
  for (const file of files) yield Buffer.concat(await collect<Buffer>(createReadStream(file)));
}

/** Paints every 14th frame with the bundled network, as `0.png`, `1.png`, ... */
async function paintSome(target: string, frames: AsyncIterable<Buffer>): Promise<string[]> {
  mkdirSync(target, { recursive: true });
  const session = await InferenceSession.create(path.join(root, 'models/starry-night.onnx'));
  const chosen = (await collect(frames)).filter((_, index) => index % 14 === 0);
  const files: string[] = [];
  for (const frame of chosen) {
    const { data: bytes, info } = await sharp(frame).raw().toBuffer({ resolveWithObject: true });
    const area = info.width * info.height;
    const values = Float32Array.from({ length: 3 * area }, (_, i) => bytes[(i % area) * 3 + Math.floor(i / area)] ?? 0);
    const results = await session.run({
      [session.inputNames[0] ?? '']: new Tensor('float32', values, [1, 3, info.height, info.width]),
    });
    const painted = results[session.outputNames[0] ?? '']?.data;
    if (!(painted instanceof Float32Array)) throw new Error('the network gave no float tensor');
    const rgb = Buffer.from(
      Uint8ClampedArray.from({ length: 3 * area }, (_, i) => painted[(i % 3) * area + Math.floor(i / 3)] ?? 0),
    );
    const file = path.join(target, `${files.length}.png`);
    writeFileSync(
      file,
      await sharp(rgb, { raw: { width: info.width, height: info.height, channels: 3 } })
        .png()
        .toBuffer(),
    );
    files.push(file);
  }
  return files;
}
