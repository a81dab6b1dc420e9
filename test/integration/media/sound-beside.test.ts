import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { constantTimetable, type VideoFacts } from '../../../src/media/media.js';
import { builds, some } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sound-beside-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FRAMES = 6;
const RATE = { num: 24, den: 1 };
const BT709 = { range: 'tv', matrix: 'bt709', primaries: 'bt709', transfer: 'bt709' };

/** Of frames that were files: 33 by 25 pixels, a quarter of a second. */
const facts: VideoFacts = {
  streamIndex: -1,
  container: '',
  codec: 'images',
  pixelFormat: 'rgb24',
  width: 33,
  height: 25,
  sampleAspect: { num: 1, den: 1 },
  frameRate: RATE,
  variableRate: false,
  timeBase: { num: 1, den: 24 },
  framesEstimate: FRAMES,
  durationSeconds: FRAMES / 24,
  lastSeconds: 1 / 24,
  startTime: 0,
  fileStart: 0,
  audioStreams: 0,
  colour: BT709,
  interlaced: false,
  fieldOrder: null,
  changing: false,
  hdr: null,
  alpha: false,
  damaged: false,
  warnings: [],
};

async function* frames(): AsyncGenerator<Buffer> {
  const picture = sharp({ create: { width: 33, height: 25, channels: 3, background: '#408060' } }).png();
  for (let frame = 0; frame < FRAMES; frame += 1) yield picture.clone().toBuffer();
}

describe.each(builds)('sound beside frames ($name)', ({ tools, media }) => {
  function tone(name: string, options: readonly string[]): string {
    const source = ['-f', 'lavfi', '-i', 'sine=frequency=440:duration=0.4:sample_rate=44100'];
    execFileSync(tools.ffmpeg, ['-y', '-loglevel', 'error', ...source, ...options, path.join(folder, name)]);
    return path.join(folder, name);
  }

  test.each(
    some(
      [
        ['tone.mp3', ['-c:a', 'libmp3lame'], 'film.mp4', 'copy', []],
        // Its packets are shorter than frames, and have their own times all the same.
        ['tone.wav', ['-c:a', 'pcm_s24le'], 'film.mp4', 'aac', [/^Sound track 1 becomes AAC, because .* pcm_s24le\.$/]],
        ['tone.flac', ['-c:a', 'flac'], 'film.webm', 'libopus', [/^Sound track 1 becomes Opus, because .* flac\.$/]],
      ],
      2,
    ),
  )('%s goes into the video', async (name, options, film, to, sentences) => {
    const source = tone(name, options);
    const output = path.join(folder, film);
    const codec = film.endsWith('.webm') ? 'vp9' : 'h264';
    const { durationSeconds, ...heard } = await media.probeSound(source, name);
    expect(durationSeconds).toBeCloseTo(0.4, 1);
    const all = { source, facts: { ...facts, ...heard }, output, codec } as const;
    const { others, warnings } = await media.rehearse(all);
    expect(others.streams).toMatchObject([{ kind: 'sound', to }]);
    expect(warnings).toHaveLength(sentences.length);
    for (const [index, sentence] of sentences.entries()) expect(warnings[index]).toMatch(sentence);
    const timetable = constantTimetable(FRAMES, RATE);
    await media.stitch({ ...all, frames: frames(), format: 'png', timetable, others });
    const comparison = await media.compare({ ...all, timetable, others });
    expect(comparison).toMatchObject({ frames: { found: FRAMES }, sound: [{ sameData: true }], problems: [] });
  });

  test('is not needed', async () => {
    const output = path.join(folder, 'silent.mp4');
    const all = { facts, output, codec: 'h264' } as const;
    const { others } = await media.rehearse({ ...all, folder });
    const timetable = constantTimetable(FRAMES, RATE);
    await media.stitch({ ...all, frames: frames(), format: 'png', timetable, others });
    expect(await media.compare({ ...all, timetable, others })).toMatchObject({ largestTimeError: 0, problems: [] });
  });

  test('is refused where it is none', async () => {
    const picture = path.join(folder, 'picture.mp3');
    await sharp({ create: { width: 8, height: 8, channels: 3, background: '#fff' } })
      .png()
      .toFile(picture);
    await expect(media.probeSound(picture, 'picture.mp3')).rejects.toThrow(
      /^picture\.mp3 is no sound file that can be read; give an M4A/,
    );
  });
});
