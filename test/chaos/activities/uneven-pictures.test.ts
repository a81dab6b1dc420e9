import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { createSplitChunk } from '../../../src/activities/videos/split-chunk.js';
import { createSplitVideo } from '../../../src/activities/videos/split-video.js';
import { framesBlob } from '../../../src/container-contract/places.js';
import { workOf } from '../../../src/job-store/layout.js';
import { createMedia, findFfmpeg } from '../../../src/media/media.js';
import { readBytes } from '../../../src/storage/storage.js';
import { splitWhole } from '../../support/media.js';
import { openAzurite } from '../../support/storage.js';
import { storedItems } from '../../support/stored-items.js';
import { frameVersions, prepareVideoJob } from '../../support/video-job.js';

const storage = openAzurite(inject('storage'));
const tools = findFfmpeg({}, process.env.PATH ?? '');
const media = createMedia(tools);
const folder = mkdtempSync(path.join(os.tmpdir(), 'uneven-pictures-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const quiet = ['-loglevel', 'error', '-y'];

/** A part of a video in which every picture is a key frame. */
function part(frames: number, { size = '96x64', fields = false } = {}): string {
  const file = path.join(folder, `${frames}-${size}-${fields}.ts`);
  const input = `testsrc2=size=${size}:rate=${fields ? 50 : 25}:duration=${frames / 25}`;
  const weave = fields ? 'tinterlace=interleave_top,setfield=tff,format=yuv420p' : 'format=yuv420p';
  const flags = fields ? ['-flags', '+ilme+ildct', '-x264-params', 'tff=1'] : [];
  const encode = ['-c:v', 'libx264', '-g', '1', '-bf', '0', ...flags];
  execFileSync(tools.ffmpeg, [...quiet, '-f', 'lavfi', '-i', input, '-vf', weave, ...encode, file]);
  return file;
}

function joined(name: string, ...parts: string[]): string {
  const [list, file] = [path.join(folder, `${name}.txt`), path.join(folder, `${name}.mkv`)];
  writeFileSync(list, parts.map((each) => `file '${each}'\n`).join(''));
  execFileSync(tools.ffmpeg, [...quiet, '-f', 'concat', '-safe', '0', '-i', list, '-c', 'copy', file]);
  return file;
}

/** Splits a video as a job does, in chunks of some frames where it can be cut. */
async function split(clip: string, jobId: string, chunkFrames = 1000) {
  const ports = { storage, media, tempFolder: folder };
  const output = { video: `outbox/${jobId}.mkv` };
  const chunks = await prepareVideoJob({ storage, media, clip, chunkFrames }, jobId, { output });
  const fill = async () => {
    if (chunks > 1) for (let chunk = 0; chunk < chunks; chunk += 1) await createSplitChunk(ports)({ jobId, chunk });
    return createSplitVideo(ports)({ jobId, chunks: Math.max(1, chunks) });
  };
  const result = await fill();
  const frame = async (index: number) => readBytes(workOf(storage, jobId), framesBlob(index, 1, 'ppm'));
  return { ...result, chunks, frame, fill };
}

describe('a video that the probe takes for even', () => {
  const file = () => joined('late', part(43), part(2, { fields: true }), part(39));

  it.each([
    ['as a whole', 1000, 0],
    ['in chunks', 30, 3],
  ])('has its few interlaced frames deinterlaced when it is split %s', async (how, chunkFrames, expected) => {
    const clip = file();
    const { facts, frames: combed } = await splitWhole(media, clip);
    expect(facts).toMatchObject({ interlaced: false, framesEstimate: 84, warnings: [] });
    const { frames, warnings, chunks, frame } = await split(clip, `late-${how.replaceAll(' ', '-')}`, chunkFrames);
    expect([frames, warnings]).toEqual([84, [expect.stringMatching(/[12] frames?, .*(was|were) deinterlaced/)]]);
    expect(chunks).toBeGreaterThanOrEqual(expected);
    const changed = [];
    for (const index of [43, 44])
      if (!(await frame(index))?.equals(combed[index] ?? Buffer.alloc(0))) changed.push(index);
    expect(changed).toContain(44);
    expect((await frame(42))?.equals(combed[42] ?? Buffer.alloc(0))).toBe(true);
  });

  it.each([
    ['as a whole', 1000],
    ['in chunks', 30],
  ])(
    'has lost frames split again as the others were, and no others written, when it was split %s',
    async (how, chunkFrames) => {
      const jobId = `late-lost-${how.replaceAll(' ', '-')}`;
      const { frames, fill } = await split(file(), jobId, chunkFrames);
      const work = workOf(storage, jobId);
      const [before, versions] = [await storedItems(work, 'frames/'), await frameVersions(storage, jobId)];
      const lost = [10, 44].map((index) => framesBlob(index, 1, 'ppm'));
      for (const blob of lost) await work.deleteBlob(blob);
      expect(await fill()).toMatchObject({ frames });
      expect(await storedItems(work, 'frames/')).toEqual(before);
      const written = [...(await frameVersions(storage, jobId))].filter(([blob, etag]) => versions.get(blob) !== etag);
      expect(written.map(([blob]) => blob)).toEqual(lost);
    },
  );
});

it('loses no frame of an interlaced video whose pictures change their size, and says that it is not deinterlaced', async () => {
  const clip = joined('shrinking', part(10, { fields: true }), part(10, { size: '48x32' }), part(5));
  const { frames, warnings } = await split(clip, 'shrinking', 8);
  expect([frames, warnings]).toEqual([25, [expect.stringMatching(/10 frames.*not deinterlaced/)]]);
});
