import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { decided, refused, started } from '../../../../src/job/inbox/claim.js';
import { parseSpec } from '../../../../src/job/spec.js';
import { changeClaim, claimedJobId, claimId, claimVersion, readClaim } from '../../../../src/job-store/inbox/claims.js';
import { firstInLine, leaveLine, standInLine } from '../../../../src/job-store/inbox/line.js';
import { quarantine, quarantineMessage } from '../../../../src/job-store/inbox/quarantine.js';
import { claimsOf, mediaBlob } from '../../../../src/job-store/layout.js';
import { openAzurite } from '../../../support/storage.js';
import { startStorageProxy, type StorageProxy } from '../../../support/storage-proxy.js';

const storage = openAzurite(inject('storage'));
const random = () => randomBytes(4).toString('hex');
const newEvent = (more: object = {}) => ({
  id: random(),
  account: 'devstoreaccount1',
  container: 'inbox',
  name: `${random()}/coast.mp4`,
  etag: `0x${random()}`,
  time: '2026-11-26T10:15:30Z',
  bytes: 7,
  type: 'Microsoft.Storage.BlobCreated',
  api: 'PutBlob',
  ...more,
});
const spec = parseSpec(JSON.stringify({ input: { video: 'inbox/a/coast.mp4' }, model: 'm' }));
const jobOfEvent = (event: ReturnType<typeof newEvent>) => ({
  jobId: claimedJobId(event, spec.input.video ?? ''),
  spec,
  waits: false,
  items: 0,
  bytes: 7,
});
const WHY = { reason: 'It is no event.', remedy: 'Send events.' };
const textOf = async (path: string) => (await mediaBlob(storage, path).downloadToBuffer()).toString();

describe('a claim', () => {
  test('is made once by all who make it at the same moment, and later', async () => {
    const event = newEvent();
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, k) => claimVersion(storage, { ...event, id: `event-${k}` })),
    );
    expect(new Set(all.map((claim) => claim.event.id)).size).toBe(1);
    expect(await claimVersion(storage, event)).toEqual(all[0]);
    expect(await readClaim(storage, claimId(event))).toEqual(all[0]);
  });

  test('is another one for another version of the blob, with another job', async () => {
    const event = newEvent();
    const next = { ...event, etag: `0x${random()}` };
    expect(claimId(next)).not.toBe(claimId(event));
    expect(claimedJobId(next, 'inbox/a/coast.mp4')).not.toBe(claimedJobId(event, 'inbox/a/coast.mp4'));
    expect(claimedJobId(event, 'inbox/a/coast.mp4')).toMatch(/^coast-[0-9a-f]{16}$/);
  });

  test('ends in one way, whatever many do with it at the same moment', async () => {
    const event = newEvent();
    const claim = await claimVersion(storage, event);
    const job = jobOfEvent(event);
    await Promise.all(Array.from({ length: 4 }, () => changeClaim(storage, claim, (each) => decided(each, job))));
    const ends = await Promise.all([
      changeClaim(storage, claim, started),
      changeClaim(storage, claim, (each) => refused(each, 'gone')),
      changeClaim(storage, claim, started),
    ]);
    const end = await readClaim(storage, claim.claim);
    expect(['started', 'refused']).toContain(end?.state);
    for (const each of ends) expect(each.state).toBe(end?.state);
  });

  test('that was removed meanwhile is made again when its job starts', async () => {
    const event = newEvent();
    const claim = await changeClaim(storage, await claimVersion(storage, event), (each) =>
      decided(each, jobOfEvent(event)),
    );
    await claimsOf(storage).getBlobClient(`${claim.claim}.json`).delete();
    await changeClaim(storage, claim, started);
    expect((await readClaim(storage, claim.claim))?.state).toBe('started');
  });

  describe('whose write goes wrong', () => {
    let proxy: StorageProxy;
    beforeAll(async () => {
      proxy = await startStorageProxy(inject('storage'));
    });
    afterAll(() => proxy.stop());

    test.each(['cut-before', 'cut-after', 'failed-after', 'twice'] as const)(
      '(%s) is there all the same',
      async (fault) => {
        const faulty = openAzurite(proxy.connectionString);
        const event = newEvent();
        proxy.strike(fault, /^PUT .*claims/);
        const claim = await claimVersion(faulty, event);
        proxy.strike(fault, /^PUT .*claims/);
        await changeClaim(faulty, claim, (each) => decided(each, jobOfEvent(event)));
        expect((await readClaim(storage, claim.claim))?.state).toBe('waiting');
      },
    );
  });
});

test('the line is in the order of arrival, and each stands in it once', async () => {
  const times = ['2016-01-03T00:00:00Z', '2016-01-01T00:00:00Z', '2016-01-02T00:00:00Z'];
  const claims = await Promise.all(times.map((time) => claimVersion(storage, newEvent({ time }))));
  for (const claim of claims) await standInLine(storage, claim);
  for (const claim of claims) await standInLine(storage, claim);
  for (const index of [1, 2, 0]) {
    const claim = claims[index];
    if (!claim) throw new Error('There are three.');
    const first = await firstInLine(storage);
    expect(first?.claim).toBe(claim.claim);
    await leaveLine(storage, first?.blob ?? '');
    await leaveLine(storage, first?.blob ?? '');
  }
});

describe('the quarantine', () => {
  test.each([
    'a/b/coast.mp4',
    'bell\u0007/東京 "x".mp4',
    'back\\slash.mp4',
    `${'a/'.repeat(100)}${'ä'.repeat(700)}.mp4`,
    'a./b..',
    '/a//b',
  ])('says of %j why it started nothing, and the same again', async (name) => {
    const claim = await claimVersion(storage, newEvent({ name }));
    const path = await quarantine(storage, claim, 'There is no model "m"; upload it.');
    expect(await quarantine(storage, claim, 'There is no model "m"; upload it.')).toBe(path);
    expect(path).toMatch(/^quarantine\/.+\.[0-9a-f]{8}\.json$/s);
    expect(JSON.parse(await textOf(path))).toMatchObject({
      reason: 'There is no model "m"; upload it.',
      remedy: expect.stringMatching(/upload it again/) as string,
      blob: `inbox/${name}`,
      etag: claim.event.etag,
    });
  });

  test('keeps a message that is no event, without its secrets', async () => {
    const path = await quarantineMessage(storage, 'https://a.b/c?sig=abcdefgh&se=1', WHY);
    expect(path).toMatch(/^quarantine\/_events\/[0-9a-f]{16}\.json$/);
    const text = await textOf(path);
    expect(JSON.parse(text)).toMatchObject(WHY);
    expect(text).not.toContain('abcdefgh');
    for (const message of [undefined, null, 7, { a: 1 }, '', 'x'.repeat(100_000)])
      expect(await quarantineMessage(storage, message, WHY)).toMatch(/^quarantine\//);
  });
});
