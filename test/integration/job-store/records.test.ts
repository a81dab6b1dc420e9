import { randomBytes } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import pMap from 'p-map';
import { beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { stopIfTooMuchIsLost } from '../../../src/activities/batches/stop-exceeded.js';
import { formatLogLine, logLine, parseLogLine } from '../../../src/container-contract/log-line.js';
import { endedRow } from '../../../src/job/attempts/attempt-row.js';
import { ppmHeader } from '../../../src/job/items/ppm.js';
import { parseSpec } from '../../../src/job/spec.js';
import { type AttemptProgress, progressMetadata } from '../../../src/container-contract/progress.js';
import { absentMetadata, framesBlob, memberName, scoredPart } from '../../../src/container-contract/places.js';
import { readBatchState, readProgress } from '../../../src/job-store/batches/batch-state.js';
import { presentIn } from '../../../src/container-contract/places.js';
import { listParts } from '../../../src/job-store/batches/scored-parts.js';
import { keepLog } from '../../../src/job-store/batches/logs.js';
import { readItems, writeFoundItems } from '../../../src/job-store/images/items.js';
import {
  jobOf,
  logBlob,
  progressBlob,
  RESOLVED_JOB,
  resultBlob,
  STOP,
  TIMING,
  workOf,
} from '../../../src/job-store/layout.js';
import {
  readResolvedJob,
  type ResolvedJob,
  type VideoJob,
  writeResolvedJob,
} from '../../../src/job-store/resolved-job.js';
import { listSettled, readSettled, type Settled, writeSettled } from '../../../src/job-store/batches/settled.js';
import { readNow, seeProgress } from '../../../src/job-store/now.js';
import { createStageProgress } from '../../../src/job-store/stage-progress.js';
import {
  beginRun,
  cancelJob,
  endJob,
  isStopped,
  isSuperseded,
  readDecision,
  readStop,
  stopJob,
  unlessStopped,
} from '../../../src/job-store/stop.js';
import { forgetWaiting, noteWaiting } from '../../../src/job-store/batches/waiting.js';
import { readFramesToShow, readFrameToShow, readSourceFrame } from '../../../src/job-store/videos/frames.js';
import { writeStoredPack } from '../../../src/job-store/stored-packs.js';
import { readTimetable, writeTimetable } from '../../../src/job-store/videos/video-timing.js';
import { readText, writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';

const storage = openAzurite(inject('storage'));
let jobId = '';
beforeEach(async () => {
  jobId = `records-${randomBytes(4).toString('hex')}`;
  await jobOf(storage, jobId).create();
});

/** Counts the requests of this process for a blob. */
function countRequests(blob: string) {
  let made = 0;
  const count = (message: unknown) => {
    if ((message as { request: ClientRequest }).request.path.includes(blob)) made += 1;
  };
  diagnostics.subscribe('http.client.request.start', count);
  return { requests: () => made, end: () => diagnostics.unsubscribe('http.client.request.start', count) };
}

const attempt = {
  launched: '2026-01-01T00:00:00.000Z',
  ended: {},
  seconds: { started: 2.5 },
  split: { start: 2.5, inference: 40 },
};
const settled: Settled = {
  batch: 7,
  attempt: 2,
  done: 40,
  failed: 2,
  state: 'retrying',
  message: 'the scorer was killed — "größer"',
  observation: { state: 'failed', exitCode: 137 },
  seenEnded: '2026-01-01T00:01:00.000Z',
  phases: [
    { attempt: 1, ...attempt },
    { attempt: 2, ...attempt },
  ],
  unscored: [],
};

describe('what a job keeps in storage comes back as it was written', () => {
  test('where a batch stands, whole and as a listing', async () => {
    await writeSettled(storage, jobId, settled);
    expect(await readSettled(storage, jobId, 7)).toEqual(settled);
    expect(await readSettled(storage, jobId, 8)).toBeUndefined();
    const listed = await listSettled(storage, jobId);
    expect((await readNow(storage, jobId)).settled).toEqual(listed);
    expect(listed).toEqual([
      {
        batch: 7,
        attempt: 2,
        runs: 2,
        done: 40,
        reused: 0,
        failed: 2,
        missing: 0,
        state: 'retrying',
        phases: { started: [2, 5, 2.5] },
        split: { start: 5, inference: 80 },
        ranOn: {},
        spent: {},
        message: settled.message,
        rows: [1, 2].map((number) => ({
          ...endedRow({ attempt: number, end: null, message: '' }),
          launchedAt: Date.parse(attempt.launched),
        })),
      },
    ]);
  });

  test('what a running scorer says of itself', async () => {
    const now = new Date().toISOString();
    const counts = { attempt: 3, done: 4, skipped: 1, failed: 2 };
    const times = { startedAt: now, lastItemAt: now, updatedAt: now, times: {} };
    const failedItems = [{ name: 'a.jpg', reason: 'it is cut off' }];
    const progress = { batch: 0, total: 9, phase: 'scoring', failedItems, ...counts, ...times } as const;
    await writeJson(jobOf(storage, jobId), progressBlob(0, 3), progress, progressMetadata(progress));
    expect(await readProgress(storage, { jobId, batch: 0, attempt: 3 })).toEqual(progress);
    expect((await readNow(storage, jobId)).reports).toMatchObject([{ batch: 0, ...counts, isLast: false }]);
    const watched = { done: 4, skipped: 1, failed: 2, total: 9, startedAt: now, lastItemAt: now, updatedAt: now };
    expect(await seeProgress(storage, { jobId, batch: 0, attempt: 3 }, 0)).toMatchObject(watched);
    expect(await seeProgress(storage, { jobId, batch: 0, attempt: 4 }, 0)).toBeUndefined();
    // An older scorer, whose metadata tell less.
    await writeJson(jobOf(storage, jobId), progressBlob(0, 3), progress, { done: '4' });
    expect(await seeProgress(storage, { jobId, batch: 0, attempt: 3 }, 0)).toMatchObject(watched);
  });

  test('what is going on, which all who look within some seconds share, however many they are', async () => {
    const { requests, end } = countRequests(`${jobId}?`);
    const attempts = [0, 1, 2].map((batch) => ({ jobId, batch, attempt: 1 }));
    await readNow(storage, jobId);
    await Promise.all(attempts.map((each) => seeProgress(storage, each, 60_000)));
    expect(requests()).toBe(1);
    await Promise.all(attempts.map((each) => seeProgress(storage, each, 0)));
    expect(requests()).toBe(2);
    end();
  });

  test('what is going on in a job of many batches, of which each is read by itself', async () => {
    const now = new Date().toISOString();
    const times = { startedAt: now, lastItemAt: now, updatedAt: now, times: {}, failedItems: [] };
    const counts = { attempt: 1, total: 9, done: 4, skipped: 0, failed: 0, phase: 'scoring' } as const;
    const batches = Array.from({ length: 101 }, (_, batch) => ({ ...counts, ...times, batch }));
    const write = (each: AttemptProgress) =>
      writeJson(jobOf(storage, jobId), progressBlob(each.batch, 1), each, progressMetadata(each));
    await pMap(batches, write, { concurrency: 16 });
    expect((await readNow(storage, jobId)).reports).toHaveLength(101);
    const { requests, end } = countRequests(`${jobId}?`);
    expect(await seeProgress(storage, { jobId, batch: 100, attempt: 1 }, 60_000)).toMatchObject({ done: 4 });
    expect(requests()).toBe(0);
    end();
  });

  test('why items failed, even of a scorer that was ended before it wrote its result', async () => {
    const spec = { output: { frameFormat: 'ppm' }, tolerate: {} };
    const job = { jobId, video: {}, spec, card: { output: { kind: 'image' } } } as unknown as ResolvedJob;
    const [first, second] = await readItems(storage, job, 0, 3);
    const failedItems = [{ name: first?.name ?? '', reason: 'the picture file is empty' }];
    await writeJson(jobOf(storage, jobId), progressBlob(0, 1), { failedItems });
    const later = [{ name: second?.name ?? '', reason: 'it is cut off' }];
    await writeJson(jobOf(storage, jobId), resultBlob(0, 2), { attempt: 2, failed: later });
    await writeJson(jobOf(storage, jobId), progressBlob(0, 2), { failedItems: [] });
    await workOf(storage, jobId).create();
    const state = await readBatchState(storage, job, { batch: 0, first: 0, count: 3 }, 2);
    expect(state).toMatchObject({ failed: [...failedItems, ...later], missing: [2], results: [{ attempt: 2 }] });
  });

  test.each<[what: string, spoil: (frame: Buffer) => Buffer]>([
    ['cut', (frame) => frame.subarray(0, -1)],
    ['without its beginning', (frame) => frame.subarray(5)],
    ['of nothing', () => Buffer.alloc(0)],
    ['longer than it says', (frame) => Buffer.concat([frame, frame])],
  ])('no frame that is %s: it is removed, so that it is scored again, or split again', async (_, spoil) => {
    const spec = { output: { frameFormat: 'ppm' }, tolerate: {} };
    const job = { jobId, video: {}, spec, card: { output: { kind: 'image' } }, pack: 1 } as unknown as VideoJob;
    const work = workOf(storage, jobId);
    await work.create();
    const frame = Buffer.concat([Buffer.from(ppmHeader(4, 2)), Buffer.alloc(24, 7)]);
    await work.getBlockBlobClient('frames/0000000.ppm').uploadData(frame);
    await work.getBlockBlobClient('scored/0000000.ppm').uploadData(frame);
    expect(await readSourceFrame(storage, job, 0)).toEqual(frame);
    expect(await readFrameToShow(storage, job, 0, new Map())).toEqual(frame);
    await work.getBlockBlobClient('frames/0000000.ppm').uploadData(spoil(frame));
    await work.getBlockBlobClient('scored/0000000.ppm').uploadData(spoil(frame));
    await expect(readFrameToShow(storage, job, 0, new Map())).rejects.toMatchObject({
      blame: 'item',
      message: expect.stringMatching(/scored\/0000000\.ppm is damaged: it/) as string,
    });
    await expect(readFrameToShow(storage, job, 0, new Map())).rejects.toThrow('is gone');
    await expect(readFrameToShow(storage, job, 0, new Map([[0, undefined]]))).rejects.toMatchObject({
      blame: 'item',
      message: expect.stringMatching(/frames\/0000000\.ppm is damaged: it/) as string,
    });
    await expect(readSourceFrame(storage, job, 0)).rejects.toThrow('is gone');
  });

  test.each([
    ['as large as the video says: with one request each', { width: 4, height: 2 }, 3],
    ['smaller', { width: 8, height: 2 }, 12],
    ['larger', { width: 2, height: 2 }, 12],
  ])('the frames of a pack that are %s', async (_, video, most) => {
    const job = { jobId, video, spec: { output: { frameFormat: 'ppm' } }, pack: 3 } as unknown as VideoJob;
    const work = workOf(storage, jobId);
    await work.create();
    const frame = (index: number) => Buffer.concat([Buffer.from(ppmHeader(4, 2)), Buffer.alloc(24, index)]);
    const members = [3, 4, 5].map((index) => ({ name: memberName(index, 'ppm'), bytes: frame(index) }));
    await writeStoredPack(work, 'frames/0000003.zip', members);
    const { requests, end } = countRequests('frames/0000003.zip');
    for (const index of [3, 4, 5]) expect(await readSourceFrame(storage, job, index)).toEqual(frame(index));
    expect(requests()).toBeLessThanOrEqual(most);
    end();
  });

  test('no pack of scored frames that is damaged: it is removed, so that its frames are scored again', async () => {
    const spec = { output: { frameFormat: 'ppm' }, tolerate: {} };
    const job = { jobId, video: {}, spec, card: { output: { kind: 'image' } }, pack: 2 } as unknown as VideoJob;
    const work = workOf(storage, jobId);
    await work.create();
    const frame = Buffer.concat([Buffer.from(ppmHeader(4, 2)), Buffer.alloc(24, 7)]);
    const members = [0, 1].map((index) => ({ name: memberName(index, 'ppm'), bytes: frame }));
    const part = scoredPart({ first: 0, last: 1 }, 2, 'ppm');
    const store = () => writeStoredPack(work, part, members);
    await store();
    expect(await readFrameToShow(storage, job, 1, new Map())).toEqual(frame);
    const readAll = async () => {
      for await (const one of readFramesToShow(storage, job, { first: 0, count: 2 })) expect(one).toEqual(frame);
    };
    await readAll();
    for (const read of [readAll, () => readFrameToShow(storage, job, 0, new Map())]) {
      await store();
      const whole = await work.getBlobClient(part).downloadToBuffer();
      whole.writeUInt8(8, whole.indexOf(frame) + frame.length - 1);
      await work.getBlockBlobClient(part).uploadData(whole);
      await expect(read()).rejects.toMatchObject({ blame: 'item', message: /scored\/.*cannot be read: it is damaged/ });
      await expect(read()).rejects.toThrow('is gone');
    }
  });

  test('that packs of scored frames are damaged: all of them are removed at once, so that one more round scores them again', async () => {
    const spec = { output: { frameFormat: 'png' }, tolerate: {} };
    const job = { jobId, video: {}, spec, card: { output: { kind: 'image' } }, pack: 2 } as unknown as VideoJob;
    const work = workOf(storage, jobId);
    await work.create();
    const parts = [0, 2, 4, 6].map((first) => scoredPart({ first, last: first + 1 }, 2, 'png'));
    for (const [k, part] of parts.entries()) {
      const members = [2 * k, 2 * k + 1].map((index) => ({
        name: memberName(index, 'png'),
        bytes: Buffer.alloc(50, k),
      }));
      await writeStoredPack(work, part, members);
      if (k === 2) continue;
      const whole = await work.getBlobClient(part).downloadToBuffer();
      whole.writeUInt8(9, whole.length >> 1);
      await work.getBlockBlobClient(part).uploadData(whole);
    }
    const readAll = async () => {
      for await (const _ of readFramesToShow(storage, job, { first: 0, count: 8 }));
    };
    await expect(readAll()).rejects.toMatchObject({ blame: 'item', message: /0000000-0000001\.zip cannot be read/ });
    const left: string[] = [];
    for await (const { blob } of listParts(storage, jobId)) left.push(blob);
    expect(left).toEqual([parts[2]]);
  });

  test.each([1, 2, 4])(
    'the frames that batches have ended without filled as the job says, where packs hold %i',
    async (pack) => {
      const output = { frameFormat: 'ppm' };
      const work = workOf(storage, jobId);
      await work.create();
      // So large that their memory is used again.
      const [width, height] = [256, 200];
      const frame = (index: number, shade = 0) =>
        Buffer.concat([Buffer.from(ppmHeader(width, height)), Buffer.alloc(3 * width * height, shade + index)]);
      const member = (index: number, shade?: number) => ({
        name: memberName(index, 'ppm'),
        bytes: frame(index, shade),
      });
      const lost = [0, 3, 4, 7];
      await writeSettled(storage, jobId, { ...settled, failed: lost.length, unscored: lost });
      for (let first = 0; first < 8; first += pack) {
        const indices = Array.from({ length: pack }, (_, k) => first + k);
        const there = indices.filter((index) => !lost.includes(index));
        const range = { first, last: first + pack - 1 };
        if (pack > 1) {
          await writeStoredPack(
            work,
            framesBlob(first, pack, 'ppm'),
            indices.map((index) => member(index)),
          );
          if (there.length === 0) continue;
          const part = scoredPart(range, pack, 'ppm');
          await writeStoredPack(
            work,
            part,
            there.map((index) => member(index, 100)),
          );
          const absent = lost.filter((index) => indices.includes(index));
          await work.getBlobClient(part).setMetadata(absentMetadata(range, absent));
        } else {
          await work.getBlockBlobClient(framesBlob(first, 1, 'ppm')).uploadData(frame(first));
          if (there.length > 0)
            await work.getBlockBlobClient(scoredPart(range, 1, 'ppm')).uploadData(frame(first, 100));
        }
      }
      const show = async (fill: string, first: number) => {
        const spec = { output, tolerate: { fill } };
        const job = { jobId, video: { width, height }, spec, card: { output: {} }, pack } as unknown as VideoJob;
        const shades: (number | undefined)[] = [];
        for await (const shown of readFramesToShow(storage, job, { first, count: 8 - first }))
          shades.push(shown.at(-1));
        return shades;
      };
      expect(await show('source', 0)).toEqual([0, 101, 102, 3, 4, 105, 106, 7]);
      expect(await show('previous', 0)).toEqual([0, 101, 102, 102, 102, 105, 106, 106]);
      expect(await show('previous', 4)).toEqual([102, 105, 106, 106]);
    },
  );

  test('no frame in the place of another one, where a name in a pack was changed', async () => {
    const spec = { output: { frameFormat: 'ppm' }, tolerate: {} };
    const job = { jobId, video: {}, spec, card: { output: { kind: 'image' } }, pack: 3 } as unknown as VideoJob;
    const work = workOf(storage, jobId);
    await work.create();
    await writeSettled(storage, jobId, { ...settled, failed: 1, unscored: [2] });
    const members = [0, 1, 2].map((index) => ({
      name: memberName(index, 'ppm'),
      bytes: Buffer.concat([Buffer.from(ppmHeader(4, 2)), Buffer.alloc(24, index)]),
    }));
    const show = async () => {
      for await (const frame of readFramesToShow(storage, job, { first: 2, count: 1 }))
        expect(frame).toEqual(members[2]?.bytes);
    };
    for (const blob of ['frames/0000000.zip', scoredPart({ first: 0, last: 2 }, 3, 'ppm')]) {
      await writeStoredPack(work, blob, members);
      await show();
      const whole = await work.getBlobClient(blob).downloadToBuffer();
      whole.write('2', whole.indexOf('0000001.ppm') + 6);
      await work.getBlockBlobClient(blob).uploadData(whole);
      await expect(show()).rejects.toThrow(`${blob} cannot be read: it is damaged`);
    }
  });

  test('which items failed, although every record that said why is gone', async () => {
    const spec = { output: { frameFormat: 'png' }, tolerate: {} };
    const job = { jobId: `${jobId}-parts`, video: {}, spec, card: { output: {} }, pack: 4 } as unknown as ResolvedJob;
    const work = workOf(storage, job.jobId);
    await Promise.all([work.create(), jobOf(storage, job.jobId).create()]);
    const part = async (first: number, last: number, absent: number[]) => {
      const blob = work.getBlockBlobClient(scoredPart({ first, last }, 4, 'png'));
      await blob.upload('', 0, { metadata: absentMetadata({ first, last }, absent) });
    };
    // A container that was thought dead has stored items 4 to 6, of which its successor could not score 5.
    for (const [first, last, absent] of [
      [0, 3, [1]],
      [4, 5, [5]],
      [4, 6, []],
      [1000, 1001, []],
    ] as const)
      await part(first, last, [...absent]);
    const state = await readBatchState(storage, job, { batch: 0, first: 0, count: 8 }, 0);
    expect(state).toMatchObject({ done: [0, 2, 3, 4, 5, 6], missing: [7] });
    expect(state.failed).toMatchObject([{ index: 1, name: '0000001', reason: /gone/ }]);
    const found: number[] = [];
    for await (const each of listParts(storage, job.jobId)) found.push(...presentIn(each));
    expect(found).toEqual([0, 2, 3, 4, 4, 5, 6, 1000, 1001]);
  });

  test('that a job was started by an earlier version, which stored items in another way', async () => {
    await writeJson(jobOf(storage, jobId), RESOLVED_JOB, { jobId, parallel: 1 });
    await expect(readResolvedJob(storage, jobId)).rejects.toMatchObject({ blame: 'user', message: /earlier version/ });
  });

  test('why a batch waits, in any script, until it waits no more', async () => {
    const reason = 'keine Kapazität – 容量がありません: "100%"';
    await noteWaiting(storage, { jobId, batch: 3, attempt: 1 }, reason);
    expect((await readNow(storage, jobId)).waiting).toMatchObject([{ batch: 3, attempt: 1, reason }]);
    await forgetWaiting(storage, { jobId, batch: 3 });
    expect((await readNow(storage, jobId)).waiting).toEqual([]);
  });

  test('when the frames of a video are shown, or not at all', async () => {
    const timetable = { timeBase: { num: 1, den: 25 }, times: [0, 1, 2, 4], frameTicks: 1, lastTicks: 1, repaired: 0 };
    await expect(readTimetable(storage, jobId)).rejects.toMatchObject({ blame: 'item', message: /gone/ });
    await writeTimetable(storage, jobId, timetable);
    expect(await readTimetable(storage, jobId)).toEqual(timetable);
    const blob = jobOf(storage, jobId).getBlockBlobClient(TIMING);
    const text = (await readText(jobOf(storage, jobId), TIMING)) ?? '';
    for (const damaged of ['{}', text.slice(0, 40), text.replace('[2,1]', '[3,1]'), text.replace('25', '24'), 'null']) {
      await blob.upload(damaged, Buffer.byteLength(damaged));
      await expect(readTimetable(storage, jobId)).rejects.toMatchObject({ blame: 'item', message: /damaged/ });
    }
  });

  test('how far the chunks of a stage are, added up', async () => {
    const [first, second] = [0, 1].map((chunk) => createStageProgress(storage, jobId, 'split', chunk));
    first?.report(12);
    second?.report(30);
    await Promise.all([first?.settled(), second?.settled()]);
    const { stages } = await readNow(storage, jobId);
    expect([stages.split?.done, stages.stitch]).toEqual([42, undefined]);
  });

  test('how far a stage is, which does not fall when an activity begins anew', async () => {
    const report = async (items: number) => {
      const progress = createStageProgress(storage, jobId, 'stitch', 1);
      progress.report(items);
      await progress.settled();
      return (await readNow(storage, jobId)).stages.stitch?.done;
    };
    expect([await report(187), await report(99), await report(188)]).toEqual([187, 187, 188]);
  });

  test('how a job was resolved, which a process reads once and not again for each activity', async () => {
    const { requests, end } = countRequests(`${jobId}/${RESOLVED_JOB}`);
    await expect(readResolvedJob(storage, jobId)).rejects.toMatchObject({ blame: 'user', message: /are gone/ });
    const job = { jobId, output: 'outbox/a.mp4', pack: 1 } as ResolvedJob;
    await writeResolvedJob(storage, job);
    expect(await readResolvedJob(storage, jobId)).toEqual(job);
    const before = requests();
    expect(await readResolvedJob(storage, jobId)).toEqual(job);
    expect(requests()).toBe(before);
    await writeResolvedJob(storage, { ...job, output: 'outbox/b.mp4' });
    expect(await readResolvedJob(storage, jobId)).toMatchObject({ output: 'outbox/b.mp4' });
    end();
  });

  test('the log of an attempt: what its scorer stored and what the platform kept, put together once', async () => {
    const own = { jobId, batch: 0, attempt: 1 };
    const source = { job: jobId, batch: 0, attempt: 1 };
    const said = formatLogLine(logLine(source, { time: '2026-11-26T15:00:00.000Z', level: 'info', message: 'begins' }));
    const blob = jobOf(storage, jobId).getBlockBlobClient(logBlob(0, 1));
    await blob.upload(said, said.length);
    const killed = { text: 'Killed by https://a/b?sig=secret', stream: 'stderr' } as const;
    await keepLog(storage, own, () => Promise.resolve([{ text: said.trimEnd(), stream: 'stdout' }, killed]));
    const log = await readText(jobOf(storage, jobId), logBlob(0, 1));
    const { etag } = await blob.getProperties();
    expect(log?.split('\n').map((line) => parseLogLine(line)?.message)).toEqual([
      'begins',
      'Killed by https://a/b?[hidden]',
      undefined,
    ]);
    await keepLog(storage, own, () => Promise.reject(new Error('is not asked again')));
    expect((await blob.getProperties()).etag).toBe(etag);
  });

  test('the log of an attempt whose scorer stores a line while its log is put together', async () => {
    const own = { jobId, batch: 1, attempt: 1 };
    const blob = jobOf(storage, jobId).getBlockBlobClient(logBlob(1, 1));
    await keepLog(storage, own, async () => {
      await blob.upload('late\n', 5);
      return [{ text: 'Killed', stream: 'stderr' }];
    });
    expect(await readText(jobOf(storage, jobId), logBlob(1, 1))).toMatch(/"late".*\n.*"Killed"/);
  });
});

test('a job that has not written anything yet can be stopped, and lists as empty', async () => {
  const young = `${jobId}-young`;
  expect(await listSettled(storage, young)).toEqual([]);
  expect(await isStopped(storage, young)).toBe(false);
  expect(await cancelJob(storage, young, 'The job was cancelled.')).toBe(true);
  expect(await isStopped(storage, young)).toBe(true);
  const stop = { reason: 'cancelled', blame: 'user', message: 'The job was cancelled.' };
  expect(await readStop(storage, young)).toEqual(stop);
});

describe('work for a job that is stopped', () => {
  test('is not begun, and tells why', async () => {
    await cancelJob(storage, jobId, 'The job was cancelled.');
    const work = vi.fn<() => Promise<void>>();
    await expect(unlessStopped(storage, jobId, work)).rejects.toMatchObject({
      blame: 'user',
      message: 'The job was cancelled.',
    });
    expect(work).not.toHaveBeenCalled();
  });

  test('is told, and let go of when it does not end by itself', async () => {
    let told = false;
    let stuck: Promise<unknown> = Promise.resolve();
    await new Promise<void>((begun) => {
      stuck = unlessStopped(storage, jobId, (signal) => {
        signal.addEventListener('abort', () => (told = true));
        begun();
        return new Promise(() => undefined);
      });
    });
    await stopJob(storage, jobId, { reason: 'failed', blame: 'platform', message: 'There is no room.' });
    await expect(stuck).rejects.toMatchObject({ blame: 'platform', message: 'There is no room.' });
    expect(told).toBe(true);
  });

  /** Work that ends when it is told, and not before. */
  const begin = async () => {
    let ended: Promise<unknown> = Promise.resolve();
    const signal = await new Promise<AbortSignal>((begun) => {
      const untilTold = (told: AbortSignal) =>
        new Promise((_, end) => {
          told.addEventListener('abort', end);
          begun(told);
        });
      ended = unlessStopped(storage, jobId, untilTold);
      ended.catch(() => undefined);
    });
    return { ended, signal };
  };

  test('is told before the process that stops it goes on', async () => {
    const works = await Promise.all([begin(), begin()]);
    expect(await cancelJob(storage, jobId, 'The job was cancelled.')).toBe(true);
    expect(works.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    await Promise.allSettled(works.map(({ ended }) => ended));
  });

  test('learns of it when another process stops it', async () => {
    const { ended, signal } = await begin();
    await cancelJob(openAzurite(inject('storage')), jobId, 'The job was cancelled.');
    expect(signal.aborted).toBe(false);
    await once(signal, 'abort');
    await expect(ended).rejects.toMatchObject({ message: 'The job was cancelled.' });
  });

  test('shares its looks at storage with all work of the process for the job', async () => {
    const { requests, end } = countRequests(`${jobId}/${STOP}`);
    const nothing = () => Promise.resolve();
    await Promise.all(Array.from({ length: 5 }, () => unlessStopped(storage, jobId, nothing)));
    await unlessStopped(storage, jobId, nothing);
    expect(requests()).toBe(1);
    expect(await isStopped(storage, jobId)).toBe(false);
    expect(requests()).toBe(2);
    end();
  });

  test('learns of it from any look at what is going on', async () => {
    const { requests, end } = countRequests(`${jobId}/${STOP}`);
    const other = openAzurite(inject('storage'));
    await readNow(other, jobId);
    expect(await unlessStopped(other, jobId, () => Promise.resolve(7))).toBe(7);
    expect(requests()).toBe(0);
    await cancelJob(storage, jobId, 'The job was cancelled.');
    await readNow(other, jobId);
    await expect(unlessStopped(other, jobId, () => Promise.resolve(7))).rejects.toThrow('The job was cancelled.');
    end();
  });

  test('that is not stopped ends as it does', async () => {
    expect(await unlessStopped(storage, jobId, () => Promise.resolve(7))).toBe(7);
    await expect(unlessStopped(storage, jobId, () => Promise.reject(new Error('odd')))).rejects.toThrow('odd');
  });
});

describe('a job that has ended', () => {
  const end = { reason: 'failed', blame: 'user', message: 'Three items failed.' } as const;
  const begin = (run: number) => ({ run, begun: new Date().toISOString(), input: { jobId, run } });

  test('begins once more for one of those who ask, and not before it has ended', async () => {
    await stopJob(storage, jobId, end);
    expect(await beginRun(storage, jobId, begin(2))).toEqual(end);
    await endJob(storage, jobId, end);
    const asked = [begin(2), begin(2), begin(2)];
    const decided = await Promise.all(asked.map((each) => beginRun(storage, jobId, each)));
    expect(decided.filter((decision, k) => decision === asked[k])).toHaveLength(1);
    expect(await beginRun(storage, jobId, begin(3))).toEqual(await readDecision(storage, jobId));
  });

  test('is stopped for the run that has ended only, also where that is remembered', async () => {
    await endJob(storage, jobId, end);
    expect(await isStopped(storage, jobId)).toBe(true);
    await beginRun(storage, jobId, begin(2));
    expect([await isStopped(storage, jobId), await isStopped(storage, jobId, 2)]).toEqual([true, false]);
    expect(await cancelJob(storage, jobId, 'Enough.')).toBe(true);
    expect([await isStopped(storage, jobId, 2), await isStopped(storage, jobId, 3)]).toEqual([true, false]);
    expect(await endJob(storage, jobId, { ...end, run: 2 })).toMatchObject({ reason: 'cancelled', run: 2 });
  });

  test('tells what an earlier run has left behind that it counts no more', async () => {
    await endJob(storage, jobId, end);
    const other = openAzurite(inject('storage'));
    expect(await isStopped(other, jobId)).toBe(true);
    await beginRun(storage, jobId, begin(2));
    expect(isSuperseded(await stopJob(other, jobId, end))).toBe(true);
    expect(isSuperseded(await endJob(other, jobId, end))).toBe(true);
    expect(await readStop(storage, jobId, 2)).toBeUndefined();
  });
});

describe('how a job ends is decided once', () => {
  const failed = { reason: 'failed', blame: 'platform', message: 'There is no room.' } as const;
  const done = { reason: 'done', blame: 'user', message: '' } as const;
  const cancelled = { reason: 'cancelled', blame: 'user', message: 'The job was cancelled.' };
  const cancel = () => cancelJob(storage, jobId, cancelled.message);

  test('as it asks for, also when it asks twice', async () => {
    expect(await endJob(storage, jobId, done)).toEqual({ ...done, ended: true });
    expect(await endJob(storage, jobId, done)).toEqual({ ...done, ended: true });
    expect(await cancel()).toBe(false);
    expect(await readStop(storage, jobId)).toMatchObject(done);
  });

  test('as cancelled when somebody cancelled it before, even a job that was bound to fail', async () => {
    await stopJob(storage, jobId, failed);
    await stopJob(storage, jobId, { ...failed, message: 'comes too late' });
    expect(await readStop(storage, jobId)).toEqual(failed);
    expect(await cancel()).toBe(true);
    expect(await endJob(storage, jobId, failed)).toEqual({ ...cancelled, ended: true });
    expect(await cancel()).toBe(true);
  });

  test('for what it has lost, as soon as its batches together have lost too much; who runs may finish until somebody cancels', async () => {
    const record = (batch: number, more: Partial<Settled>) =>
      writeSettled(storage, jobId, { ...settled, batch, state: 'done', ...more });
    const job = (tolerate: object) =>
      ({
        jobId,
        images: 'inbox/a/',
        spec: parseSpec(JSON.stringify({ input: { images: 'inbox/a/' }, model: 'm', tolerate })),
      }) as unknown as ResolvedJob;
    const stops = async (tolerate: object) => {
      await stopIfTooMuchIsLost(storage, job(tolerate), { batch: 2, failed: 7, missing: 5 }, 'a.jpg: broken');
      return readStop(storage, jobId);
    };
    await writeFoundItems(storage, jobId, { items: 200, warnings: [] });
    await record(0, { failed: 2 });
    await record(1, { failed: 2 });
    await record(2, { failed: 7, missing: 5, state: 'failed' });
    for (const enough of [{ failedItems: 11 }, { failedPercent: 5.5 }, { failedItems: 11, failedBatches: 1 }])
      expect(await stops(enough)).toBeUndefined();
    expect(await stops({ failedPercent: 5, onExceeded: 'finish' })).toEqual({
      reason: 'failed',
      blame: 'user',
      message: '11 of 200 items could not be scored and tolerate.failedPercent is 5 (a.jpg: broken).',
      exceeded: true,
      running: 'finish',
    });
    // A batch that finds out more ends nothing, what the app itself has to end does.
    expect(await stops({ failedItems: 3, onExceeded: 'finish' })).toMatchObject({ running: 'finish' });
    const stopped = await stopJob(storage, jobId, failed);
    expect(stopped).toMatchObject({ exceeded: true, message: expect.stringMatching(/failedPercent/) as string });
    expect(stopped).not.toHaveProperty('running');
    const end = { reason: 'failed', blame: 'user', message: 'it is stopped' } as const;
    expect(await endJob(storage, jobId, end)).toEqual({ ...end, exceeded: true, ended: true });
  });

  test('the same way for all who ask at the same moment', async () => {
    const answers = await Promise.all([
      cancel(),
      endJob(storage, jobId, done),
      cancel(),
      endJob(storage, jobId, failed),
    ]);
    const end = await readStop(storage, jobId);
    expect(answers[0]).toBe(end?.reason === 'cancelled');
    expect([answers[1], answers[2], answers[3]]).toEqual([end, end?.reason === 'cancelled', end]);
  });
});
