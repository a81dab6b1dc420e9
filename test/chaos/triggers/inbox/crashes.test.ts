import { describe, expect, test } from 'vitest';
import { writeTicket } from '../../../../src/job/inbox/media-event.js';
import { claimId } from '../../../../src/job-store/inbox/claims.js';
import { countMessages } from '../../../../src/job-store/inbox/messages.js';
import { givePlaces, readPlaces, takePlace } from '../../../../src/job-store/inbox/places.js';
import { inboxQueueOf, jobOf, MANIFEST, quarantineBlob, quarantineOf } from '../../../../src/job-store/layout.js';
import { writeJson } from '../../../../src/storage/storage.js';
import { CRASHED, crashAfter } from '../../../support/crash.js';
import { cloudEvent, newFolder, type Uploaded } from '../../../support/inbox.js';
import { useMediaHosts } from '../../../support/media-hosts.js';

const hosts = useMediaHosts();
const READY = JSON.stringify({ model: 'm', output: { images: 'done/' } });
/** More than a start has requests that change something. */
const MOST_EFFECTS = 24;

const ready = () => hosts.put(`${newFolder()}/_READY`, READY);

describe('a host that dies', () => {
  test('after any of its requests leaves one job to the next one, which gets the message again', async () => {
    let crashes = 0;
    for (let effects = 1; effects <= MOST_EFFECTS; effects += 1) {
      const version = await ready();
      const message = cloudEvent(version);
      const end = await crashAfter(effects, () => hosts.newHost().take(message));
      if (end === CRASHED) crashes += 1;
      await hosts.newHost().take(message);
      const claim = await hosts.claim(version);
      expect(claim?.state, `after ${effects}`).toBe('started');
      expect(await hosts.startsOf(claim?.job?.jobId ?? ''), `after ${effects}`).toBe(1);
      await givePlaces(hosts.storage, [claim?.job?.jobId ?? '']);
      if (end !== CRASHED) break;
    }
    // Somebody who is over stands there until the next look.
    await hosts.newHost().sweep();
    expect(await hosts.line()).toEqual([]);
    expect(crashes).toBeGreaterThan(5);
    expect(crashes).toBeLessThan(MOST_EFFECTS);
  });

  test('after any of its requests leaves one record in quarantine', async () => {
    let crashes = 0;
    for (let effects = 1; effects <= MOST_EFFECTS; effects += 1) {
      const version = await hosts.put(`${newFolder()}/job.json`, '{');
      const message = cloudEvent(version);
      const end = await crashAfter(effects, () => hosts.newHost().take(message));
      if (end === CRASHED) crashes += 1;
      await hosts.newHost().take(message);
      expect((await hosts.claim(version))?.state, `after ${effects}`).toBe('refused');
      const record = quarantineOf(hosts.storage).getBlobClient(quarantineBlob(version.name, claimId(version)));
      expect(await record.exists()).toBe(true);
      if (end !== CRASHED) break;
    }
    expect(crashes).toBeGreaterThan(1);
    expect(crashes).toBeLessThan(MOST_EFFECTS);
  });

  test('with the message lost, leaves the rest to the sweep', async () => {
    const version = await ready();
    await crashAfter(1, () => hosts.newHost().take(cloudEvent(version)));
    const next = hosts.newHost();
    await next.sweep();
    const { receivedMessageItems } = await inboxQueueOf(hosts.storage).receiveMessages({ numberOfMessages: 32 });
    for (const { messageText } of receivedMessageItems) await next.take(messageText);
    const claim = await hosts.claim(version);
    expect(claim?.state).toBe('started');
    expect(await hosts.startsOf(claim?.job?.jobId ?? '')).toBe(1);
    await inboxQueueOf(hosts.storage).clearMessages();
    await givePlaces(hosts.storage, [claim?.job?.jobId ?? '']);
  });
});

describe('an event', () => {
  test('that comes to many hosts at the same moment, again and again, starts one job', async () => {
    const version = await ready();
    const message = cloudEvent(version);
    await Promise.all(Array.from({ length: 6 }, () => hosts.newHost().take(message)));
    await hosts.newHost().sweep();
    await hosts.newHost().take(message);
    const claim = await hosts.claim(version);
    expect(claim?.state).toBe('started');
    // Two hosts that start at the same moment are the Functions host's to tell apart, which does it by the id.
    expect(await hosts.startsOf(claim?.job?.jobId ?? '')).toBeGreaterThan(0);
    await givePlaces(hosts.storage, [claim?.job?.jobId ?? '']);
  });

  test('that comes after its job has ended and its history is gone starts nothing', async () => {
    const version = await ready();
    await hosts.newHost().take(cloudEvent(version));
    const jobId = (await hosts.claim(version))?.job?.jobId ?? '';
    const forgetful = hosts.newHost();
    const before = await hosts.startsOf(jobId);
    await forgetful.take(cloudEvent(version));
    expect(await hosts.startsOf(jobId)).toBe(before);
    await givePlaces(hosts.storage, [jobId]);
  });

  test('of an older version starts nothing, whichever of the two comes first', async () => {
    const old = await ready();
    const now = await hosts.put(old.name, `${READY} `);
    const host = hosts.newHost();
    await host.take(cloudEvent(now));
    await host.take(cloudEvent(old));
    expect(await hosts.claim(old)).toBeUndefined();
    const jobId = (await hosts.claim(now))?.job?.jobId ?? '';
    expect(await hosts.startsOf(jobId)).toBe(1);
    await givePlaces(hosts.storage, [jobId]);
  });

  test('of what is replaced while it waits for room ends without a job', async () => {
    const limits = { jobs: 1, items: Infinity, bytes: Infinity };
    await takePlace(hosts.storage, { job: 'holder-k3v9q2xa', items: 0, bytes: 0 }, limits);
    const version = await ready();
    const host = hosts.newHost({ limits });
    await host.take(cloudEvent(version));
    expect((await hosts.claim(version))?.state).toBe('waiting');
    expect(await countMessages(hosts.storage)).toBe(1);
    await hosts.put(version.name, `${READY} `);
    await givePlaces(hosts.storage, ['holder-k3v9q2xa']);
    await host.take(writeTicket(claimId(version)));
    expect(await hosts.claim(version)).toMatchObject({
      state: 'refused',
      message: expect.stringMatching(/replaced/) as string,
    });
    expect((await readPlaces(hosts.storage)).places).toEqual([]);
    expect(await hosts.line()).toEqual([]);
    await inboxQueueOf(hosts.storage).clearMessages();
  });
});

test('what would write where another job does waits for that alone, and keeps nobody else waiting', async () => {
  const host = hosts.newHost();
  const jobIdOf = async (version: Uploaded) => (await hosts.claim(version))?.job?.jobId ?? '';
  const first = await ready();
  await host.take(cloudEvent(first));
  const again = await hosts.put(first.name, `${READY} `);
  await host.take(cloudEvent(again));
  const other = await ready();
  await host.take(cloudEvent(other));
  expect((await hosts.claim(again))?.state).toBe('waiting');
  expect((await hosts.claim(other))?.state).toBe('started');
  const holder = jobOf(hosts.storage, await jobIdOf(first));
  await holder.create();
  await writeJson(holder, MANIFEST, {});
  await host.take(writeTicket(claimId(again)));
  expect((await hosts.claim(again))?.state).toBe('started');
  expect(await hosts.startsOf(await jobIdOf(again))).toBe(1);
  await givePlaces(hosts.storage, await Promise.all([first, again, other].map(jobIdOf)));
  await inboxQueueOf(hosts.storage).clearMessages();
});

describe('what waits for room', () => {
  test('starts in the order of arrival, whoever comes by', async () => {
    const limits = { jobs: 1, items: Infinity, bytes: Infinity };
    await takePlace(hosts.storage, { job: 'holder-k3v9q2xb', items: 0, bytes: 0 }, limits);
    const host = hosts.newHost({ limits });
    const versions = await Promise.all([2, 0, 1].map(async (minute) => ({ minute, version: await ready() })));
    for (const { minute, version } of versions)
      await host.take(cloudEvent(version, { time: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString() }));
    expect(await hosts.line()).toHaveLength(3);
    const last = versions.find(({ minute }) => minute === 2)?.version;
    if (!last) throw new Error('There are three.');
    const started: number[] = [];
    let holder = 'holder-k3v9q2xb';
    for (let round = 0; round < 3; round += 1) {
      await givePlaces(hosts.storage, [holder]);
      await host.take(writeTicket(claimId(last)));
      for (const { minute, version } of versions) {
        const claim = await hosts.claim(version);
        if (claim?.state !== 'started' || started.includes(minute)) continue;
        started.push(minute);
        holder = claim.job?.jobId ?? '';
      }
      expect(started).toHaveLength(round + 1);
    }
    expect(started).toEqual([0, 1, 2]);
    await givePlaces(hosts.storage, [holder]);
    await inboxQueueOf(hosts.storage).clearMessages();
  });
});
