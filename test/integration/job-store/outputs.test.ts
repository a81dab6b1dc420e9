import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { jobOf, MANIFEST, mediaBlob, OUTBOX, workOf } from '../../../src/job-store/layout.js';
import { deliver, freePlace, keepPlace, type OutputPlace } from '../../../src/job-store/outputs.js';
import { copyWithin, writeJson } from '../../../src/storage/storage.js';
import { openAzurite } from '../../support/storage.js';
import { startStorageProxy, type StorageProxy } from '../../support/storage-proxy.js';

const storage = openAzurite(inject('storage'));
const newJob = () => `job-${randomBytes(4).toString('hex')}`;
const newVideo = () => `${OUTBOX}/${randomBytes(4).toString('hex')}/a.mp4`;
const place = (output: string, jobId = newJob(), overwrite = false): OutputPlace => ({ jobId, output, overwrite });
const keep = (kept: OutputPlace) => keepPlace(storage, kept);

async function end(jobId: string): Promise<void> {
  await jobOf(storage, jobId).createIfNotExists();
  await writeJson(jobOf(storage, jobId), MANIFEST, {});
}

const write = (kept: OutputPlace, text: string, by = storage) =>
  deliver(by, kept, (target, options) => target.uploadData(Buffer.from(text), options));
const textAt = async (output: string) => (await mediaBlob(storage, output).downloadToBuffer()).toString();

beforeAll(() => storage.media.getContainerClient(OUTBOX).createIfNotExists());

describe('the place of an output', () => {
  test('is kept for one job until that is over, and for the same job again and again', async () => {
    const first = place(newVideo());
    await keep(first);
    await keep(first);
    const second = place(first.output);
    await expect(keep(second)).rejects.toThrow(new RegExp(`^Job ${first.jobId}, .+ writes to ${first.output}; `));
    await expect(keep({ ...second, overwrite: true })).rejects.toThrow(/is not over/);
    await end(first.jobId);
    await keep(second);
    await freePlace(storage, first);
    await expect(keep(place(first.output))).rejects.toThrow(new RegExp(second.jobId));
    await freePlace(storage, second);
    await keep(place(first.output));
  });

  test('is given to one of several jobs that ask at the same moment', async () => {
    const output = newVideo();
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => keep(place(output))));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('is not given to a job whose folder is around it, in it or the same', async () => {
    const folder = `${OUTBOX}/${randomBytes(4).toString('hex')}/`;
    const kept = place(`${folder}b/`);
    await keep(kept);
    for (const output of [folder, `${folder}b/`, `${folder}b/c/`, `${folder}b/a.mp4`])
      await expect(keep(place(output)), output).rejects.toThrow(/is not over/);
    for (const output of [`${folder}bb/`, `${folder}b.mp4`, `${folder}B/`]) await keep(place(output));
  });

  test.each([
    ['a video', (there: string) => there],
    ['a folder', (there: string) => there.replace(/[^/]+$/, '')],
  ])('that has something in it already is refused for %s, unless it may be overwritten', async (_, outputOf) => {
    const there = newVideo();
    await mediaBlob(storage, there).uploadData(Buffer.from('precious'));
    const wanted = place(outputOf(there));
    await expect(keep(wanted)).rejects.toThrow(new RegExp(`^There is ${there} already; .+"output.overwrite"`));
    await keep({ ...wanted, overwrite: true });
    await expect(keep(place(wanted.output, newJob(), true))).rejects.toThrow(/is not over/);
  });
});

describe('an output', () => {
  test('is written again by a second run of its job, and by nobody else', async () => {
    const own = place(newVideo());
    await write(own, 'first run');
    await keep(own);
    await write(own, 'second run');
    expect(await textAt(own.output)).toBe('second run');
    const other = place(own.output);
    await workOf(storage, other.jobId).create();
    const kept = `work-${other.jobId}/kept/a.mp4`;
    await expect(write(other, 'other')).rejects.toThrow(new RegExp(`was written by somebody else .+ is ${kept}\\.$`));
    expect(await textAt(kept)).toBe('other');
    expect(await textAt(own.output)).toBe('second run');
    await write(place(own.output, newJob(), true), 'overwritten');
    expect(await textAt(own.output)).toBe('overwritten');
  });

  test('that is copied keeps no signature of its source, and its type', async () => {
    const [source, target] = [mediaBlob(storage, newVideo()), mediaBlob(storage, newVideo())];
    await source.uploadData(Buffer.from('scored'), { blobHTTPHeaders: { blobContentType: 'image/png' } });
    const options = { bytes: 6, metadata: { job: 'a' }, conditions: {} };
    await copyWithin(storage, source, target, options);
    const { _response, ...properties } = await target.getProperties();
    expect(properties).toMatchObject({ contentType: 'image/png', metadata: { job: 'a' } });
    expect(JSON.stringify([properties, _response.headers.toJson()])).not.toMatch(/sig=/);
    const large = mediaBlob(storage, newVideo());
    await copyWithin(storage, source, large, { ...options, bytes: 257 * 1024 * 1024 });
    expect((await large.downloadToBuffer()).toString()).toBe('scored');
    expect(await large.getProperties()).toMatchObject({ contentType: 'image/png', copySource: undefined });
  });

  describe('whose write goes wrong', () => {
    let proxy: StorageProxy;
    beforeAll(async () => {
      proxy = await startStorageProxy(inject('storage'));
    });
    afterAll(() => proxy.stop());

    test.each(['cut-after', 'failed-after', 'twice', 'cut-before'] as const)(
      '(%s) is there all the same',
      async (fault) => {
        const faulty = openAzurite(proxy.connectionString);
        const own = place(newVideo());
        proxy.strike(fault, /^PUT .*outputs/);
        await keepPlace(faulty, own);
        proxy.strike(fault, /^PUT .*outbox/);
        await write(own, 'first run', faulty);
        proxy.strike(fault, /^PUT .*outbox/, 2);
        await write(own, 'second run', faulty);
        expect(await textAt(own.output)).toBe('second run');
      },
    );
  });
});
