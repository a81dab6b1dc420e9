import { afterAll, describe, expect, test } from 'vitest';
import { QUARANTINE } from '../../../../src/job-store/layout.js';
import { base64, cloudEvent, gridEvent, inboxOf, newFolder, type Uploaded } from '../../../support/inbox.js';
import { useStack } from '../../../support/stack.js';
import { until } from '../../../support/wait.js';

const stack = useStack();
const inbox = inboxOf(stack);
const MODEL = JSON.stringify({ model: 'starry-night' });

/** A folder without pictures, which starts a job that ends at once. */
async function readyFolder(text = MODEL): Promise<Uploaded> {
  const folder = newFolder();
  await inbox.put(`${folder}/notes.txt`, 'no picture');
  return inbox.put(`${folder}/_READY`, text);
}

const instancesOf = async (prefix: string): Promise<{ instanceId: string; createdTime: string }[]> => {
  const url = `${stack.url}/runtime/webhooks/durabletask/instances?instanceIdPrefix=${prefix}&top=100`;
  return (await (await fetch(url)).json()) as { instanceId: string; createdTime: string }[];
};

afterAll(async () => {
  expect(await inbox.poisoned()).toBe(0);
});

describe('a new version of a blob', () => {
  test('starts one job, however often and in whatever shape its event comes, also after the job has ended', async () => {
    const ready = await readyFolder();
    const shapes = [
      JSON.stringify(cloudEvent(ready)),
      base64(cloudEvent(ready)),
      JSON.stringify(gridEvent(ready)),
      base64(gridEvent(ready)),
      JSON.stringify(cloudEvent({ ...ready, etag: `"${ready.etag}"` })),
      base64([cloudEvent(ready), gridEvent(ready)]),
    ];
    await Promise.all(shapes.map((shape) => inbox.send(shape)));
    const { state, job } = await inbox.decided(ready);
    expect(state).toBe('started');
    const jobId = job?.jobId ?? '';
    expect(await stack.ended(jobId)).toMatchObject({ state: 'failed', error: { kind: 'user' } });
    const [first, ...others] = await instancesOf(jobId.slice(0, -16));
    expect(others).toEqual([]);
    await inbox.send(JSON.stringify(cloudEvent(ready)));
    await inbox.drained();
    expect(await instancesOf(jobId.slice(0, -16))).toEqual([first]);
  });

  test('starts another job when the blob is written again', async () => {
    const ready = await readyFolder();
    await inbox.send(base64(cloudEvent(ready)));
    const { job: before } = await inbox.decided(ready);
    const next = await inbox.put(ready.name, `${MODEL} `);
    await inbox.send(base64(cloudEvent(next)));
    const { job: after } = await inbox.decided(next);
    expect(after?.jobId).not.toBe(before?.jobId);
    expect(await stack.client.status(after?.jobId ?? '')).toBeDefined();
  });
});

describe('bad media', () => {
  test.each<[string, (folder: string) => Promise<Uploaded>, RegExp]>([
    [
      'a job file that is no JSON',
      (folder) => inbox.put(`${folder}/a.job.json`, '{"model"'),
      /a\.job\.json is not valid JSON/,
    ],
    [
      'a path outside the inbox',
      (folder) =>
        inbox.put(`${folder}/job.json`, JSON.stringify({ model: 'm', input: { video: '../../models/a.mp4' } })),
      /"input\.video" is outside the inbox/,
    ],
    [
      'a video that is not there',
      (folder) =>
        inbox.put(`${folder}/job.json`, JSON.stringify({ model: 'starry-night', input: { video: 'none.mp4' } })),
      /There is no video inbox\/.+\/none\.mp4/,
    ],
    ['an unknown model', (folder) => inbox.put(`${folder}/_READY`, '{"model":"nobody"}'), /There is no model "nobody"/],
    ['a trigger file without a model', (folder) => inbox.put(`${folder}/_READY`, ''), /without a "model"/],
    [
      'an empty video',
      async (folder) => {
        await inbox.put(`${folder}/_defaults.json`, MODEL);
        return inbox.put(`${folder}/a.mp4`, '');
      },
      /a\.mp4 is empty/,
    ],
    [
      'metadata that says something wrong',
      async (folder) => {
        await inbox.put(`${folder}/_defaults.json`, MODEL);
        return inbox.put(`${folder}/a.mp4`, 'x', { codec: 'mpeg2' });
      },
      /"output\.codec"/,
    ],
  ])('is put into quarantine with a sentence, and its message is done with: %s', async (_, upload, reason) => {
    const version = await upload(newFolder());
    await inbox.send(base64(cloudEvent(version)));
    expect(await inbox.decided(version)).toMatchObject({ state: 'refused' });
    expect(await inbox.quarantined(version)).toMatchObject({
      reason: expect.stringMatching(reason) as string,
      remedy: expect.stringMatching(/upload it again/) as string,
      blob: `inbox/${version.name}`,
    });
  });

  test('that only its job can tell, such as a video of something else, is put into quarantine, too', async () => {
    const folder = newFolder();
    await inbox.put(`${folder}/_defaults.json`, MODEL);
    const version = await inbox.put(`${folder}/a.mp4`, 'no video');
    await inbox.send(base64(cloudEvent(version)));
    const { state, job } = await inbox.decided(version);
    expect(state).toBe('started');
    const { error } = await stack.ended(job?.jobId ?? '');
    expect(await inbox.quarantined(version)).toMatchObject({ reason: error?.message, blob: `inbox/${version.name}` });
  });

  test('is told from a message that is no event, which is kept', async () => {
    const folder = newFolder();
    await inbox.send(`rubbish of ${folder}`);
    const kept = await until('a record', async () => {
      const quarantine = stack.storage.getContainerClient(QUARANTINE);
      if (!(await quarantine.exists())) return undefined;
      for await (const { name } of quarantine.listBlobsFlat({ prefix: '_events/' })) {
        const text = (await quarantine.getBlobClient(name).downloadToBuffer()).toString();
        if (text.includes(folder)) return text;
      }
      return undefined;
    });
    expect(JSON.parse(kept)).toMatchObject({ reason: expect.stringMatching(/no event/) as string });
  });
});

test('what is none of the app’s business is left alone and claims nothing', async () => {
  const folder = newFolder();
  const video = await inbox.put(`${folder}/alone.mp4`, 'no defaults');
  const ours = await inbox.put(`${folder}/ours/_READY`, MODEL, { job: 'coast-k3v9q2xa' });
  const hidden = await inbox.put(`_uploads/${folder}/job.json`, MODEL);
  const picture = await inbox.put(`${folder}/a.png`, 'x');
  const gone = await inbox.put(`${folder}/gone/_READY`, MODEL);
  await inbox.remove(gone.name);
  const old = await inbox.put(`${folder}/old/job.json`, MODEL);
  await inbox.put(old.name, `${MODEL} `);
  const elsewhere = { ...video, account: 'another' };
  const all = [video, ours, hidden, picture, gone, old, elsewhere];
  for (const each of all) await inbox.send(base64(cloudEvent(each)));
  const last = await readyFolder('{');
  await inbox.send(base64(cloudEvent(last)));
  await inbox.decided(last);
  await inbox.drained();
  expect(await Promise.all(all.map((each) => inbox.claim(each)))).toEqual(all.map(() => undefined));
});
