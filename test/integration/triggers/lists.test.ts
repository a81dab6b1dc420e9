import { randomBytes } from 'node:crypto';
import { BlockBlobClient } from '@azure/storage-blob';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import type { JobList, JobStatus } from '../../../src/api/jobs.js';
import type { ModelList } from '../../../src/api/models.js';
import { createJobClient } from '../../../src/cli/client/client.js';
import { changeEntry, enterJob, findEntries } from '../../../src/job-store/list/job-list.js';
import { useStack } from '../../support/stack.js';
import { modelBlob, cardBlob, modelsOf } from '../../../src/job-store/layout.js';
import { openAzurite } from '../../support/storage.js';
import { until } from '../../support/wait.js';

/** It keeps callers with keys apart, so the list of a caller of its own has the jobs of this file alone. */
const stack = useStack();
const storage = openAzurite(inject('storage'));

function newCaller() {
  const key = `lists-${randomBytes(8).toString('hex')}`;
  const headers = { 'x-functions-key': key, 'content-type': 'application/json' };
  const get = (route: string) => fetch(`${stack.url}/api/${route}`, { headers });
  const send = async (route: string, body: object, more: Record<string, string> = {}) => {
    const sent = { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) };
    return (await (await fetch(`${stack.url}/api/${route}`, sent)).json()) as { id: string };
  };
  const ended = (id: string, run = 1) =>
    until(`the end of run ${run} of job ${id}`, async () => {
      const status = (await (await get(`jobs/${id}`)).json()) as JobStatus;
      return status.run === run && ['done', 'failed', 'cancelled'].includes(status.state) ? status : undefined;
    });
  return {
    get,
    ended,
    redrive: (id: string) => send(`jobs/${id}/redrive`, {}),
    list: async (query = '') => (await (await get(`jobs${query}`)).json()) as JobList,
    /** A job that fails, as its folder has no picture, asked for by two requests at once. */
    async start(): Promise<{ id: string; folder: string }> {
      const { path: folder, urls } = await createJobClient(stack.url, key).placeImages('folder', ['a.txt'], undefined);
      for (const url of urls) await new BlockBlobClient(url).uploadData(Buffer.from('no picture'));
      const ask = () => send('jobs', { input: { images: folder }, model: 'starry-night' }, { 'idempotency-key': 'k' });
      const [{ id }] = await Promise.all([ask(), ask()]);
      return { id, folder };
    },
  };
}
const idsOf = ({ jobs }: JobList) => jobs.map(({ id }) => id);

const alice = newCaller();
let [first, second, third] = ['', '', ''];
let folder = '';

beforeAll(async () => {
  ({ id: first, folder } = await alice.start());
  ({ id: second } = await alice.start());
  ({ id: third } = await alice.start());
  for (const id of [first, second, third]) await alice.ended(id);
});

describe('GET /api/jobs', () => {
  test("lists the caller's own jobs, the newest first and page by page", async () => {
    const { jobs, next } = await alice.list();
    expect(jobs.map(({ id }) => id)).toEqual([third, second, first]);
    expect(next).toBeNull();
    expect(jobs[2]).toMatchObject({
      run: 1,
      state: 'failed',
      now: expect.stringMatching(/^failed: There is no JPEG/) as string,
      input: folder,
      model: 'starry-night',
      compute: 'local',
      items: { total: 0, done: 0, failed: 0 },
      secondsLeft: null,
      output: null,
      thumbnail: null,
    });
    const { createdAt = '', endedAt } = jobs[2] ?? {};
    expect(Date.parse(endedAt ?? '')).toBeGreaterThan(Date.parse(createdAt));
    const pages = [await alice.list('?limit=2')];
    while (pages.at(-1)?.next) pages.push(await alice.list(`?limit=2&from=${pages.at(-1)?.next ?? ''}`));
    expect(pages.map(idsOf)).toEqual([[third, second], [first]]);
    const all = idsOf((await (await fetch(`${stack.url}/api/jobs?limit=100`)).json()) as JobList);
    expect(all.indexOf(first)).toBeGreaterThan(all.indexOf(third));
    expect(await newCaller().list()).toEqual({ jobs: [], next: null });
  });

  test('keeps to the state that is asked for', async () => {
    expect(idsOf(await alice.list('?state=failed&limit=2'))).toEqual([third, second]);
    expect(await alice.list('?state=done')).toEqual({ jobs: [], next: null });
  });

  test.each([
    ['state=over', /^"state" must be queued, running, done, failed or cancelled\.$/],
    ['limit=0', /^"limit" must be a whole number from 1 to 100\.$/],
    ['limit=1e2', /^"limit" must/],
    ['from=x', /^"from" must be what the answer before gave as "next"\.$/],
    ['from=WyJcdTAwMDAiLCIiXQ', /^"from" must be/],
  ])('answers 400 to %s', async (query, sentence) => {
    const answer = await alice.get(`jobs?${query}`);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toMatch(sentence);
  });

  test('shows the latest run of a job that was started once more, where the job was', async () => {
    await alice.redrive(second);
    await alice.ended(second, 2);
    const { jobs } = await alice.list();
    expect(jobs.map(({ id, run, now }) => [id, run, now.split(':')[0]])).toEqual([
      [third, 1, 'failed'],
      [second, 2, 'run 2'],
      [first, 1, 'failed'],
    ]);
  });

  test('tells how a job has ended whose end nobody wrote down, and forgets one that never began', async () => {
    const entries = (await findEntries(storage)).get(third) ?? [];
    expect(entries).toHaveLength(1);
    const [key = { jobId: third, acceptedAt: 0 }] = entries;
    const before = await alice.list();
    let owner: string | undefined;
    await changeEntry(storage, key, (entry) => {
      owner = entry?.owner;
      return entry && { ...entry, end: undefined };
    });
    const lost = { jobId: `lost-${randomBytes(4).toString('hex')}`, acceptedAt: Date.now() - 3_600_000 };
    await enterJob(storage, { ...lost, run: 1, owner, input: 'inbox/a.mp4', model: 'm', compute: 'local' });
    expect(await alice.list()).toEqual(before);
    let kept: string | undefined;
    await changeEntry(storage, key, (entry) => {
      kept = entry?.end?.state;
      return entry;
    });
    expect(kept).toBe('failed');
    expect((await findEntries(storage)).has(lost.jobId)).toBe(false);
  });
});

test("GET /api/models lists the app's own with a picture, others with what their cards say, and no uploads of others", async () => {
  const name = `lists.${randomBytes(4).toString('hex')}.x`;
  const upload = `${name}-abcd2345`;
  const models = modelsOf(storage);
  await models.createIfNotExists();
  const cards = {
    [name]: '{"description":"Finds dogs.","style":{},"output":{"kind":"classes"}}',
    [upload]: '{"output":',
  };
  for (const [model, card] of Object.entries(cards)) {
    await models.getBlockBlobClient(modelBlob(model)).upload('model', 5);
    await models.getBlockBlobClient(cardBlob(model)).upload(card, card.length);
  }
  const list = async (answer: Promise<Response>) => ((await (await answer).json()) as ModelList).models;
  const all = await list(fetch(`${stack.url}/api/models`));
  expect(all[0]).toMatchObject({
    name: 'starry-night',
    bundled: true,
    description: expect.stringContaining('The Starry Night') as string,
    gives: 'image',
    takesStyle: false,
  });
  const picture = await fetch(all[0]?.example ?? '');
  expect(picture.headers.get('content-type')).toBe('image/jpeg');
  expect(all.filter((model) => model.name.startsWith(name))).toEqual([
    { name: upload, bundled: false, description: '', gives: null, takesStyle: null, bytes: 5, example: null },
    { name, bundled: false, description: 'Finds dogs.', gives: 'classes', takesStyle: true, bytes: 5, example: null },
  ]);
  const own = (await list(alice.get('models'))).map((model) => model.name);
  expect([own.includes(name), own.includes(upload)]).toEqual([true, false]);
});
