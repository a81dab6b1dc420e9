import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { LeftOut } from '../../../src/job/items/left-out.js';
import { uploadFolder } from '../../../src/cli/client/folders.js';
import { builds, decodeRgb, packetHashes } from '../../support/media.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const file = (...parts: string[]) => path.join(stack.folder, ...parts);
const [build] = builds;
if (!build) throw new Error('there is no FFmpeg to test with');

const FRAMES = 12;
/** An odd size; a grey of its own for each frame. */
const [WIDTH, HEIGHT] = [33, 25];
const greyOf = (frame: number) => 20 + 16 * frame;
const still = (grey: number, width = WIDTH) =>
  sharp({ create: { width, height: HEIGHT, channels: 3, background: { r: grey, g: grey, b: grey } } });

/** Named so that only their numbers put them in order, of several kinds; the first and one in the middle are broken. */
async function makeFrames(folder: string): Promise<void> {
  mkdirSync(folder);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const picture = frame % 3 === 0 ? still(greyOf(frame)).jpeg() : still(greyOf(frame)).png();
    const bytes = frame === 0 || frame === 5 ? Buffer.from('broken') : await picture.toBuffer();
    writeFileSync(path.join(folder, `it's frame ${frame + 1}.${frame % 3 === 0 ? 'jpg' : 'png'}`), bytes);
  }
}

function makeSound(name: string): string {
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=0.5', '-c:a', 'aac'];
  execFileSync(build?.tools.ffmpeg ?? '', ['-y', '-loglevel', 'error', ...tone, file(name)]);
  return file(name);
}

function timesOf(video: string): number[] {
  const what = ['-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
  const printed = execFileSync(build?.tools.ffprobe ?? '', ['-v', 'error', ...what, video], { encoding: 'utf8' });
  return (
    printed
      .match(/[\d.]+/g)
      ?.map(Number)
      .toSorted((a, b) => a - b) ?? []
  );
}

describe('a folder of frames', () => {
  const folder = file('shots');
  let [images, pass] = ['', ''];

  beforeAll(async () => {
    await makeFrames(folder);
    images = await uploadFolder(stack.client, folder, '', new LeftOut());
    writeFileSync(file('pass.onnx'), tinyModel({ operator: 'Identity', shape: [1, 3, 'h', 'w'] }));
    pass = await stack.client.upload('model', file('pass.onnx'), {});
  });

  test('becomes a video of exactly its rate, in the order of its numbers, with the sound as it is', async () => {
    const sound = makeSound('tone.m4a');
    const audio = await stack.client.upload('audio', sound);
    const id = await stack.client.start({
      input: { images, frameRate: '24000/1001', audio },
      model: pass,
      output: { quality: 'best' },
      tolerate: { failedItems: 2 },
      batch: { pack: 2 },
    });
    const status = await stack.ended(id);
    expect(status).toMatchObject({ state: 'done', items: { total: FRAMES, done: FRAMES - 2, failed: 2 }, error: null });
    await stack.client.download(id, 'output', file('film.mp4'));
    const times = timesOf(file('film.mp4'));
    expect(times).toHaveLength(FRAMES);
    for (const [frame, time] of times.entries()) expect(time).toBeCloseTo((frame * 1001) / 24_000, 5);
    expect(packetHashes(build, file('film.mp4'))).toEqual(packetHashes(build, sound));
    // What could not be read shows the frame before it; before the first there is none, so the next one is shown.
    const shown = Array.from(
      { length: FRAMES },
      (_, frame) => ({ 0: greyOf(1), 5: greyOf(4) })[frame] ?? greyOf(frame),
    );
    const pixels = decodeRgb(build, file('film.mp4'));
    const greys = shown.map((_, frame) => pixels[frame * (pixels.length / FRAMES)] ?? NaN);
    for (const [frame, grey] of greys.entries())
      expect(Math.abs(grey - (shown[frame] ?? NaN)), `frame ${frame}`).toBeLessThanOrEqual(3);
  });

  test('with one of another size is refused by its name before any is scored', async () => {
    const [wide] = (await stack.client.placeImages('shots', ["it's frame 8.png"], images)).urls;
    writeFileSync(
      file('wide.png'),
      await still(0, WIDTH + 1)
        .png()
        .toBuffer(),
    );
    await stack.client.put(wide ?? '', file('wide.png'));
    const { state, error, attempts } = await stack.ended(
      await stack.client.start({ input: { images, frameRate: 24 }, model: pass, tolerate: { failedItems: 2 } }),
    );
    expect({ state, attempts }).toEqual({ state: 'failed', attempts: 0 });
    expect(error).toMatchObject({
      kind: 'user',
      message: expect.stringMatching(
        /differ in size: it's frame 8\.png has 34 × 25 pixels, .* 33 × 25 pixels/,
      ) as string,
    });
  });
});
