import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { BlockBlobClient } from '@azure/storage-blob';
import { beforeAll, describe, expect, test } from 'vitest';
import type { BatchList, FileAnswer, JobStatus } from '../../../src/api/jobs.js';
import type { AttemptRow } from '../../../src/job/attempts/attempt-row.js';
import type { Plan } from '../../../src/api/plan.js';
import { makeClip } from '../../support/clip.js';
import { scoringModel } from '../../support/scorer/tiny-model.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
let video = '';
/** A job that is done: the first one that this file starts. */
let done = '';

beforeAll(async () => {
  video = await stack.client.upload('video', makeClip(path.join(stack.folder, 'clip.mp4'), { seconds: 1 }));
});

const send = (route: string, body: string, type = 'application/json', more: Record<string, string> = {}) =>
  fetch(`${stack.url}/api/${route}`, { method: 'POST', body, headers: { 'content-type': type, ...more } });
const post = (body: string | object) => send('jobs', typeof body === 'string' ? body : JSON.stringify(body));
const refusal = async (answer: Response) => ({
  status: answer.status,
  ...((await answer.json()) as { error: string }),
});

describe('a body that is not said to be JSON', () => {
  test.each(['jobs', 'uploads'])('is refused by POST /api/%s with 415, as any page could send it', async (route) => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const { status, error } = await refusal(await send(route, '{"kind":"video","name":"a.mp4"}', type));
      expect(status).toBe(415);
      expect(error).toContain('Content-Type: application/json');
    }
  });

  test('of many megabytes is refused before it has arrived, with or without a length', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, '{');
    const chunks = new ReadableStream({
      start: (controller) => {
        controller.enqueue(body);
        controller.close();
      },
    });
    for (const [sent, more] of [
      [body, {}],
      [chunks, { duplex: 'half' }],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${stack.url}/api/jobs`, { method: 'POST', headers, body: sent, ...more }).catch(
        () => undefined,
      );
      // The host may close the connection before the client has sent it all.
      expect([undefined, 413]).toContain(answer?.status);
    }
  });
});

describe('POST /api/jobs', () => {
  test("answers 202 with the standard URLs and the job's own, and starts no second job for the same request", async () => {
    const spec = {
      input: { video },
      model: 'starry-night',
      output: { video: 'outbox/http/first.mp4' },
      batch: { size: 4, maxParallel: 2 },
    };
    const postAgain = () => send('jobs', JSON.stringify(spec), undefined, { 'idempotency-key': 'k' });
    const [answer, meanwhile] = await Promise.all([postAgain(), postAgain()]);
    expect(answer.status).toBe(202);
    const body = (await answer.json()) as Record<string, string>;
    expect(body.id).toMatch(/^clip-[a-z2-7]{8}$/);
    for (const name of [
      'statusQueryGetUri',
      'sendEventPostUri',
      'terminatePostUri',
      'purgeHistoryDeleteUri',
      'restartPostUri',
      'suspendPostUri',
      'resumePostUri',
      'rewindPostUri',
    ]) {
      expect(body[name], name).toContain(body.id);
    }
    expect(answer.headers.get('location')).toBe(body.statusQueryGetUri);
    expect(body.jobUrl).toBe(`${stack.url}/api/jobs/${body.id}`);
    const standard = (await (await fetch(body.statusQueryGetUri ?? '')).json()) as Record<string, unknown>;
    expect(standard).toMatchObject({ name: 'scoreJob', instanceId: body.id });
    const during = await refusal(await post(spec));
    expect(during).toMatchObject({ status: 400, error: expect.stringContaining(`Job ${body.id}`) as string });
    done = body.id ?? '';
    await stack.ended(done);
    for (const same of [meanwhile, await postAgain()])
      expect(await same.json()).toMatchObject({ id: body.id, jobUrl: body.jobUrl });
    const afterwards = await refusal(await post(spec));
    expect(afterwards.status).toBe(400);
    expect(afterwards.error).toMatch(/There is outbox\/http\/first\.mp4 already; .*"output\.overwrite"/);
  });

  test.each([
    ['malformed JSON', '{"input":', /not valid JSON/],
    [
      'an unknown property',
      { input: { video: 'inbox/x.mp4' }, model: 'm', sytle: 1 },
      /"sytle" is not a known property; remove or correct it/,
    ],
    ['a body over the limit', ' '.repeat(5000), /5000 bytes long; at most 4096 are accepted/],
    [
      'a video that is not there',
      { input: { video: 'inbox/none.mp4' }, model: 'starry-night' },
      /There is no video inbox\/none\.mp4/,
    ],
    [
      'images that are not there',
      { input: { images: 'inbox/none/' }, model: 'starry-night' },
      /There is nothing below inbox\/none\/ in the media storage account; upload the images first\./,
    ],
    [
      'a video and images',
      { input: { video: 'inbox/x.mp4', images: 'inbox/x/' }, model: 'm' },
      /"input" must name either a "video" or "images"/,
    ],
  ])('answers 400 and one sentence to %s', async (_, body, sentence) => {
    const { status, error } = await refusal(await post(body));
    expect(status).toBe(400);
    expect(error).toMatch(sentence);
  });

  test('answers 400 to an unknown model', async () => {
    const { status, error } = await refusal(await post({ input: { video }, model: 'rain-princess' }));
    expect(status).toBe(400);
    expect(error).toMatch(/There is no model "rain-princess"/);
  });

  test('answers 400 to a style picture that is not there', async () => {
    const { status, error } = await refusal(
      await post({ input: { video }, model: 'starry-night', style: 'styles/none.jpg' }),
    );
    expect(status).toBe(400);
    expect(error).toMatch(/There is no style picture styles\/none\.jpg/);
  });
});

describe('POST /api/plan', () => {
  const plan = (spec: object) => send('plan', JSON.stringify(spec));

  test('tells by an earlier job what a job would take, and leaves nothing behind', async () => {
    const containers = async () => {
      const names: string[] = [];
      for await (const { name } of stack.storage.listContainers()) if (/-clip-/.test(name)) names.push(name);
      return names;
    };
    const before = await containers();
    const answer = await plan({ input: { video }, model: 'starry-night', batch: { size: 4, maxParallel: 2 } });
    expect(answer.status).toBe(200);
    const { seconds, ...said } = (await answer.json()) as Plan;
    expect(said).toMatchObject({
      items: 12,
      batches: 3,
      parallel: 2,
      cost: { low: 0, high: 0, currency: 'USD' },
      basis: expect.stringMatching(/^Job .+ with the same model on local/) as string,
      warnings: [],
    });
    expect(seconds?.low).toBeGreaterThan(0);
    expect(seconds?.high).toBeGreaterThan(seconds?.low ?? 0);
    expect(await containers()).toEqual(before);
  });

  test('says what of a folder the job would leave out', async () => {
    const inbox = stack.storage.getContainerClient('inbox');
    for (const name of ['a.jpg', 'b.heic'])
      await inbox.getBlockBlobClient(`folder-to-plan/${name}`).uploadFile('samples/style-waves.jpg');
    const answer = await plan({ input: { images: 'inbox/folder-to-plan/' }, model: 'starry-night' });
    expect(await answer.json()).toMatchObject({
      items: 1,
      warnings: [expect.stringMatching(/^1 HEIC file is left out \(b\.heic\)/) as string],
    });
  });

  test('takes the number of items from who knows it, where storage has only some', async () => {
    const spec = { input: { video }, model: 'starry-night', batch: { size: 100 } };
    expect(await (await plan({ ...spec, items: 1000 })).json()).toMatchObject({ items: 1000, batches: 10 });
    const { error } = await refusal(await plan({ ...spec, items: 0 }));
    expect(error).toMatch(/"items"/);
  });

  test.each([
    { input: { video: 'inbox/none.mp4' }, model: 'starry-night' },
    { input: { images: 'inbox/none/' }, model: 'starry-night', compute: { kind: 'aci' } },
    { input: {}, model: 'm' },
  ])('refuses %j in the words of POST /api/jobs', async (spec) => {
    const refused = await refusal(await plan(spec));
    expect(refused).toEqual(await refusal(await post(spec)));
    expect(refused.status).toBe(400);
  });

  test('refuses what the preparation of a job would', async () => {
    const { status, error } = await refusal(
      await plan({ input: { video }, model: 'starry-night', output: { draw: true } }),
    );
    expect(status).toBe(400);
    expect(error).toMatch(/gives pictures, which make the video themselves/);
    const taken = await refusal(
      await plan({ input: { video }, model: 'starry-night', output: { video: 'outbox/http/first.mp4' } }),
    );
    expect(taken.error).toMatch(/There is outbox\/http\/first\.mp4 already/);
  });
});

describe('GET /api/jobs/{id}/files', () => {
  const files = (id: string, query = '') => fetch(`${stack.url}/api/jobs/${id}/files${query}`);

  test('answers 404 to a job that is not there and to a job with a video', async () => {
    expect((await files('none-abcd2345')).status).toBe(404);
    const { status, error } = await refusal(await files(done));
    expect(status).toBe(404);
    expect(error).toMatch(new RegExp(`"${done}" .*video.*/files/output`));
  });
});

describe('an image folder', () => {
  const upload = async (names: string[]) => {
    const { path: images, urls } = await stack.client.placeImages('folder', names, undefined);
    await Promise.all(urls.map((url) => new BlockBlobClient(url).uploadData(Buffer.from('text'))));
    return images;
  };

  test('without pictures fails the job with one sentence', async () => {
    const id = await stack.client.start({ input: { images: await upload(['a.txt']) }, model: 'starry-night' });
    const { state, error, stage } = await stack.ended(id);
    expect({ state, stage, kind: error?.kind }).toEqual({ state: 'failed', stage: 'finish', kind: 'user' });
    expect(error?.message).toMatch(/^There is no JPEG, .+ below inbox\/.+\/folder\/, but one file of another kind; /);
    expect(await (await fetch(`${stack.url}/api/jobs/${id}/files`)).json()).toEqual({ files: [], next: null });
  });

  test('with a style picture for a model without a style input fails the job with one sentence', async () => {
    const style = await stack.client.upload('style', path.join(stack.folder, 'clip.mp4'));
    const id = await stack.client.start({ input: { images: await upload(['a.jpg']) }, model: 'starry-night', style });
    const { error } = await stack.ended(id);
    expect(error?.message).toMatch(/"starry-night" has no style input; leave the property "style" out\./);
  });
});

describe('GET /api/jobs/{id}', () => {
  test('shows the counts, the rate and the seconds per stage of a finished job', async () => {
    const status = await stack.client.status(done);
    expect(status).toMatchObject({
      id: done,
      state: 'done',
      stage: 'finish',
      items: { total: 12, done: 12, failed: 0 },
      batches: { total: 3, pending: 0, running: 0, done: 3, failed: 0 },
      secondsLeft: null,
      cost: { soFar: 0, inAll: null },
      error: null,
      output: 'outbox/http/first.mp4',
      warnings: [],
    });
    expect(Object.keys(status.stages)).toEqual(['prepare', 'split', 'score', 'stitch', 'finish']);
    for (const seconds of Object.values(status.stages)) expect(seconds).toBeGreaterThan(0);
    expect(Object.keys(status.phases)).toEqual(['queued', 'started', 'modelLoaded', 'firstItem', 'lastItem', 'stored']);
    expect(status.phases.modelLoaded?.mean).toBeGreaterThan(0);
    const { sentence = '', percent = {}, seconds = {} } = status.containerTime ?? {};
    expect(sentence).toMatch(/^\d+ % of the container time /);
    expect(Object.values(percent).reduce((sum, share) => sum + share, 0)).toBe(100);
    expect(seconds.inference).toBeGreaterThan(0);
    expect(seconds.unknown).toBeUndefined();
    expect(status.bottleneck).toMatch(/^\d+ % of the time went into /);
    expect(status.phases.modelLoaded?.longest).toBeGreaterThanOrEqual(status.phases.modelLoaded?.mean ?? 0);
    expect(status.itemsPerSecond).toBeCloseTo(12 / (status.stages.score ?? 0), 1);
    expect(status.framesPerSecond).toBe(status.itemsPerSecond);
  });

  test('says what the job was told, and nothing to whom knows it all', async () => {
    const answer = await fetch(`${stack.url}/api/jobs/${done}`);
    const { spec } = (await answer.json()) as JobStatus;
    expect(spec).toMatchObject({ input: { video }, model: 'starry-night', compute: { kind: 'local' } });
    const headers = { 'if-none-match': answer.headers.get('etag') ?? '' };
    const again = await fetch(`${stack.url}/api/jobs/${done}`, { headers });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  test.each(['none-abcd2345', '..%2Fsecret', 'UPPER'])('answers 404 to %s', async (id) => {
    expect((await fetch(`${stack.url}/api/jobs/${id}`)).status).toBe(404);
  });
});

describe('GET /api/jobs/{id}/batches', () => {
  const ask = (id: string, query = '', headers = {}) =>
    fetch(`${stack.url}/api/jobs/${id}/batches${query}`, { headers });

  test('tells of every batch and of its attempts, from the listing of what the status tells', async () => {
    const answer = await ask(done);
    const list = (await answer.json()) as BatchList;
    expect(list.batches.map(({ batch, first, count, state }) => [batch, first, count, state])).toEqual([
      [0, 0, 4, 'done'],
      [1, 4, 4, 'done'],
      [2, 8, 4, 'done'],
    ]);
    for (const { attempts, runs } of list.batches) {
      expect(runs).toBe(1);
      expect(attempts).toMatchObject([{ attempt: 1, place: 'local', end: 'complete', blame: null, message: '' }]);
      const [{ launchedAt, startedAt, modelLoadedAt, firstItemAt, lastItemAt, endedAt }] = attempts as [AttemptRow];
      const times = [launchedAt, startedAt, modelLoadedAt, firstItemAt, lastItemAt, endedAt].map(Number);
      expect(times).toEqual(times.toSorted((one, other) => one - other));
      expect(times[0]).toBeGreaterThan(Date.parse('2026-01-01'));
    }
    const known = { 'if-none-match': answer.headers.get('etag') ?? '' };
    expect((await ask(done, '', known)).status).toBe(304);
    const since = (await (await ask(done, `?since=${list.next}`)).json()) as BatchList;
    expect(since).toMatchObject({ run: 1, next: list.next });
    expect(since.batches.length).toBeLessThanOrEqual(list.batches.length);
  });

  test('answers 400 to what no answer gave, and 404 to a job that is not there', async () => {
    expect(await refusal(await ask(done, '?since=yesterday'))).toMatchObject({
      status: 400,
      error: expect.stringMatching(/^"since" must be/) as string,
    });
    expect((await ask('none-abcd2345')).status).toBe(404);
  });
});

describe('GET /api/jobs/{id}/pictures', () => {
  const ask = (id: string, query: string) => fetch(`${stack.url}/api/jobs/${id}/pictures${query}`);

  test('answers 400 to what names no pictures', async () => {
    for (const query of ['', '?newest=0', '?newest=25', '?newest=x', '?at=', '?at=1,', '?at=-1', '?newest=1&at=1'])
      expect((await ask(done, query)).status, query).toBe(400);
    expect((await ask(done, `?at=${Array.from({ length: 25 }, (_, k) => k).join()}`)).status).toBe(400);
    expect((await ask('none-abcd2345', '?newest=1')).status).toBe(404);
  });

  test('gives none of a job that has removed its frames', async () => {
    expect(await (await ask(done, '?newest=3')).json()).toEqual({ pictures: [] });
  });
});

describe('GET /api/jobs/{id}/files/{file}', () => {
  const ask = (file: string, headers = {}) =>
    fetch(`${stack.url}/api/jobs/${done}/files/${file}`, { headers, redirect: 'manual' });

  test.each(['output', 'source', 'contact-sheet', 'manifest'])(
    'redirects to %s, or says where it is to who accepts JSON',
    async (file) => {
      const redirect = await ask(file);
      expect([redirect.status, redirect.headers.get('vary')]).toEqual([302, 'Accept']);
      const { url, bytes, type } = (await (await ask(file, { accept: 'application/json' })).json()) as FileAnswer;
      expect(new URL(url).pathname).toBe(new URL(redirect.headers.get('location') ?? '').pathname);
      expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(bytes);
      expect(type).toMatch(file === 'manifest' ? 'application/json' : /^(video|image|application)\//);
    },
  );

  test('answers 404 to any other', async () => {
    for (const file of ['job.json', 'now', 'spec']) expect((await ask(file)).status, file).toBe(404);
  });
});

describe('DELETE /api/jobs/{id}', () => {
  const cancel = (id: string) => fetch(`${stack.url}/api/jobs/${id}`, { method: 'DELETE' });

  test('cancels a job at once after its start', async () => {
    const id = await stack.client.start({ input: { video }, model: 'starry-night' });
    expect((await cancel(id)).status).toBe(202);
    expect(await stack.ended(id)).toMatchObject({ state: 'cancelled', error: { message: 'The job was cancelled.' } });
    expect((await cancel(id)).status).toBe(410);
  });

  test('answers 404 to a job that is not there', async () => {
    expect((await cancel('none-abcd2345')).status).toBe(404);
  });
});

describe('POST /api/uploads', () => {
  test.each([
    '{',
    '{}',
    '{"kind":"secret","name":"a"}',
    '{"kind":"video","name":"../a"}',
    '{"kind":"video","name":"a","more":1}',
    '{"kind":"video","name":"a."}',
    '{"kind":"images","name":"a.","names":["b.jpg"]}',
    '{"kind":"images","name":"a"}',
    '{"kind":"images","name":"a","names":[]}',
    '{"kind":"images","name":"a","names":["b.jpg"],"path":"outbox/abcd2345/a/"}',
    '{"kind":"images","name":"a","names":["b.jpg"],"path":"inbox/abcd2345/a/../b/"}',
  ])('answers 400 to %s', async (body) => {
    const { status, error } = await refusal(await send('uploads', body));
    expect(status).toBe(400);
    expect(error).toMatch(/^An upload is asked for with/);
  });

  test.each([
    '../a.jpg',
    'a//b.jpg',
    '/a.jpg',
    'a.',
    'a\\b.jpg',
    'a\n.jpg',
    'a\0',
    '\ud800.jpg',
    'a/'.repeat(200) + 'b',
    '',
  ])('gives no place to an image called %j', async (name) => {
    const body = JSON.stringify({ kind: 'images', name: 'holiday', names: ['a.jpg', name] });
    const { status, error } = await refusal(await send('uploads', body));
    expect(status).toBe(400);
    expect(error).toMatch(/^An image cannot be called /);
  });

  test('gives the images of one folder one place, in several requests', async () => {
    const first = await stack.client.placeImages('my holiday', ['a.jpg', 'b/ä #1.png'], undefined);
    expect(first.path).toMatch(/^inbox\/_uploads\/[a-z2-7]{8}\/my-holiday\/$/);
    expect(first.urls.map((url) => decodeURIComponent(new URL(url).pathname))).toEqual([
      expect.stringMatching(/\/my-holiday\/a\.jpg$/),
      expect.stringMatching(/\/my-holiday\/b\/ä #1\.png$/),
    ]);
    expect((await stack.client.placeImages('my holiday', ['c.jpg'], first.path)).path).toBe(first.path);
    for (const folder of ['...and more.', '.', 'a..'])
      expect((await stack.client.placeImages(folder, ['a.jpg'], undefined)).path).toMatch(/[a-z]\/$/);
  });

  test('stores a label file with a model, and its labels are checked against the model', async () => {
    const files = { 'm.onnx': scoringModel([1, 3, 2, 2]), 'm.txt': 'cat\ndog\n' };
    const card = { 'm.json': '{"output": {"kind": "classes", "labels": "m.txt"}}' };
    for (const [name, bytes] of Object.entries({ ...files, ...card }))
      writeFileSync(path.join(stack.folder, name), bytes);
    const file = (name: string) => path.join(stack.folder, name);
    const model = await stack.client.upload('model', file('m.onnx'), { card: file('m.json'), labels: file('m.txt') });
    const { error } = await stack.ended(await stack.client.start({ input: { video }, model }));
    expect(error?.kind).toBe('user');
    expect(error?.message).toMatch(/^The model gives 12 classes, but its card or label file names 2/);
  });

  test('gives each file a place of its own', async () => {
    const ask = async () =>
      ((await (await send('uploads', '{"kind":"video","name":"a.mp4"}')).json()) as { path: string }).path;
    const [first, second] = [await ask(), await ask()];
    expect(first).toMatch(/^inbox\/_uploads\/[a-z2-7]{8}\/a\.mp4$/);
    expect(first).not.toBe(second);
  });
});
