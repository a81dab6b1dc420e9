import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { createSplitVideo } from '../../../src/activities/videos/split-video.js';
import { createStitchVideo } from '../../../src/activities/videos/stitch-video.js';
import { CONTACT_SHEET, jobOf, mediaBlob } from '../../../src/job-store/layout.js';
import { createMedia, type Media, type Pair } from '../../../src/media/media.js';
import { makeClip, tools } from '../../support/clip.js';
import { openAzurite } from '../../support/storage.js';
import { giveUpItems, prepareVideoJob } from '../../support/video-job.js';

const storage = openAzurite(inject('storage'));
const media = createMedia(tools);
const folder = mkdtempSync(path.join(os.tmpdir(), 'contact-sheet-beside-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const clip = makeClip(path.join(folder, 'clip.mp4'), { size: '320x240' });

function signal() {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

/** Stitches the clip. @param beforeLast runs before the last frame is given to ffmpeg. */
async function stitch(jobId: string, contactSheet: Media['contactSheet'], beforeLast: () => Promise<void>) {
  const ports = { storage, media, tempFolder: folder };
  await prepareVideoJob({ ...ports, clip, chunkFrames: 1000, pack: 4 }, jobId, {
    output: { video: `outbox/${jobId}.mp4` },
  });
  const { frames } = await createSplitVideo(ports)({ jobId, chunks: 1 });
  await giveUpItems(storage, jobId, [...Array(frames).keys()]);
  async function* held(all: AsyncIterable<Buffer>) {
    let given = 0;
    for await (const frame of all) {
      given += 1;
      if (given === frames) await beforeLast();
      yield frame;
    }
  }
  const holding: Media = {
    ...media,
    contactSheet,
    stitch: (request) => media.stitch({ ...request, frames: held(request.frames) }),
  };
  return createStitchVideo({ ...ports, media: holding })({ jobId });
}

test('the contact sheet is drawn while the last frames are encoded', async () => {
  const jobId = 'sheet-beside';
  const drawn = signal();
  const contactSheet: Media['contactSheet'] = async (pairs, output) => {
    await media.contactSheet(pairs, output);
    drawn.give();
  };
  const { bytes } = await stitch(jobId, contactSheet, () => drawn.given);
  expect((await mediaBlob(storage, `outbox/${jobId}.mp4`).getProperties()).contentLength).toBe(bytes);
  expect(await jobOf(storage, jobId).getBlobClient(CONTACT_SHEET).exists()).toBe(true);
});

test('the contact sheet shows the frames of its times, although all frames after them come in the same memory', async () => {
  const drawn: Pair[] = [];
  const contactSheet: Media['contactSheet'] = async (pairs, output) => {
    drawn.push(...pairs);
    await media.contactSheet(pairs, output);
  };
  await stitch('sheet-of-packs', contactSheet, () => Promise.resolve());
  expect(drawn).toHaveLength(4);
  // No frame was scored, so each is shown as it came.
  for (const { before, after } of drawn) expect(after.equals(before)).toBe(true);
});

test('a video that cannot be stitched fails only when nobody draws any more', async () => {
  const events: string[] = [];
  const begun = signal();
  const contactSheet: Media['contactSheet'] = async (pairs, output) => {
    begun.give();
    await media.contactSheet(pairs, output);
    events.push('drawn');
  };
  const stitched = stitch('sheet-of-failure', contactSheet, async () => {
    await begun.given;
    throw new Error('no more frames');
  });
  await stitched.catch((error: Error) => events.push(error.message));
  expect(events).toEqual(['drawn', 'no more frames']);
});

test('a contact sheet that cannot be drawn fails the job, whose video is there all the same', async () => {
  const jobId = 'no-sheet';
  const contactSheet = () => Promise.reject(new Error('cannot be drawn'));
  await expect(stitch(jobId, contactSheet, () => Promise.resolve())).rejects.toThrow('cannot be drawn');
  expect(await mediaBlob(storage, `outbox/${jobId}.mp4`).exists()).toBe(true);
});
