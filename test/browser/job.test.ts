import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { BatchList, BatchRow, JobStatus } from '../../src/api/jobs.js';
import { uploadFolder } from '../../src/cli/client/folders.js';
import { jobOf } from '../../src/job-store/layout.js';
import { findEntries } from '../../src/job-store/list/job-list.js';
import { removeJob } from '../../src/job-store/retention.js';
import { LeftOut } from '../../src/job/items/left-out.js';
import { makeClip } from '../support/clip.js';
import { findingModel, scoringModel } from '../support/scorer/tiny-model.js';
import { useStack } from '../support/stack.js';
import { openAzurite } from '../support/storage.js';
import { barriersOf, browser, fits, keepPicture, keepsPictures, type Tab, useTabs } from '../support/tabs.js';
import { until } from '../support/wait.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const HOSTILE = '<img src=x onerror="document.title=\'taken\'">';

describe.skipIf(browser === undefined)('the view of a job', () => {
  const stack = useStack();
  const tabs = useTabs();
  let video = '';
  beforeAll(async () => {
    const clip = makeClip(path.join(stack.folder, 'harbour at night.mp4'), { size: '160x90', seconds: 2 });
    video = await stack.client.upload('video', clip);
  });
  const start = (more: object = {}) =>
    stack.client.start({
      input: { video },
      model: 'starry-night',
      batch: { size: 8, maxParallel: 2, pack: 4 },
      ...more,
    });

  test.runIf(keepsPictures)('is a picture for the documents', async () => {
    const coast = await stack.client.upload('video', path.join(ROOT, 'samples/coast.mp4'));
    const id = await stack.client.start({ input: { video: coast }, model: 'starry-night' });
    const tab = await tabs.open(`#/jobs/${id}`);
    await tab.page.getByRole('slider', { name: /as it was before/ }).waitFor();
    await until('half of the frames', async () => {
      const { items } = await stack.client.status(id);
      return items.done >= items.total / 2 || undefined;
    });
    await tab.page.waitForTimeout(2500);
    await keepPicture(tab, 'page-job.png');
    await stack.ended(id);
  });

  test('shows what a model found in the frames of a video, page by page, and the list of jobs a picture of it', async () => {
    const [clip, model] = ['clip.mp4', 'finder.onnx'].map((name) => path.join(stack.folder, name));
    makeClip(clip ?? '', { size: '64x48', rate: '30', seconds: 2 });
    writeFileSync(model ?? '', findingModel([{ box: [0.25, 0.25, 0.75, 0.75], scores: [0.125, 0.75] }]));
    const card = path.join(stack.folder, 'finder.json');
    writeFileSync(card, JSON.stringify({ output: { kind: 'detections', labels: ['cat', HOSTILE] } }));
    const id = await stack.client.start({
      input: { video: await stack.client.upload('video', clip ?? '') },
      model: await stack.client.upload('model', model ?? '', { card }),
    });
    expect(await stack.ended(id)).toMatchObject({ state: 'done', items: { done: 60 } });
    const { page, requests } = await tabs.open(`#/jobs/${id}`);
    const table = page.getByRole('region', { name: 'Frames and what was found in them' });
    const last = table.locator('tbody > tr > th[scope=row]:first-child');
    await table.getByText(HOSTILE).first().waitFor();
    await page.getByRole('button', { name: 'Later' }).click();
    await table.getByText('1.97 s').waitFor();
    expect(await last.first().textContent()).toBe('50');
    await page.getByRole('button', { name: 'Earlier' }).click();
    await table.getByText('0.03 s').waitFor();
    const reads = requests.filter(({ url }) => url.pathname.endsWith('/predictions.jsonl'));
    expect(reads.map(({ headers }) => headers['range']?.split('-')[0])).toEqual([
      'bytes=0',
      expect.stringMatching(/^bytes=\d{4,}$/),
      'bytes=0',
    ]);
    await page.goto(`${stack.url}/api/#/jobs`);
    const picture = page.locator('.listed', { has: page.locator(`a[href*="${id}"]`) }).locator('img.picture');
    await expect.poll(() => picture.evaluate((each: HTMLImageElement) => each.naturalWidth)).toBe(64);
  });

  test('shows it from its beginning to its end: pictures before and after, batches, and the result beside its source', async () => {
    const id = await start();
    const tab = await tabs.open(`#/jobs/${id}`);
    const { page, requests } = tab;
    await page.getByRole('heading', { level: 1, name: /harbour-at-night\.mp4/ }).waitFor();
    const slider = page.getByRole('slider', { name: /as it was before/ });
    await slider.focus();
    await slider.press('ArrowRight');
    expect(await slider.getAttribute('aria-valuetext')).toBe('51 % before, 49 % after');
    await page.getByRole('heading', { name: /^Done: \d+ frames/ }).waitFor();
    await stack.ended(id);
    for (const name of ['source', 'result'])
      await expect
        .poll(() =>
          page
            .locator('video')
            .nth(name === 'source' ? 0 : 1)
            .evaluate((each: HTMLVideoElement) => each.readyState),
        )
        .toBeGreaterThan(1);
    await page.getByRole('row', { name: /batch 0001/ }).waitFor();
    expect(await page.getByRole('img', { name: /^Attempt 1 of batch 0001 on local: .*; done\.$/ }).count()).toBe(1);
    await page.getByRole('link', { name: 'batch 0001' }).click();
    await page
      .getByRole('log')
      .getByText(/completed: 8 scored/)
      .waitFor();
    expect(page.url()).toMatch(new RegExp(`#/jobs/${id}/batches/1$`));
    await page.getByText('Items 8 to 15: 8 done.').waitFor();
    await expect.poll(() => page.getByRole('link', { name: /^Download/ }).count()).toBe(1);
    expect(await barriersOf(tab)).toEqual([]);
    // Frames come from storage, and what is asked of the app does not grow with them.
    expect(requests.filter(({ url }) => /^\/api\/jobs\/[^/]+\/(?:frames|files$)/.test(url.pathname))).toEqual([]);
    const before = requests.length;
    await page.getByRole('link', { name: 'Close' }).click();
    expect(requests.length).toBe(before);
  });

  test('cancels it once that is confirmed, and runs the rest again with one click', async () => {
    const id = await start({ batch: { size: 'auto', maxParallel: 1 } });
    const { page } = await tabs.open(`#/jobs/${id}`);
    await page.getByRole('button', { name: 'Cancel …' }).click();
    await page.getByRole('button', { name: 'Let it run' }).click();
    await page.getByRole('button', { name: 'Cancel …' }).click();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await page.getByRole('heading', { name: /^Cancelled; / }).waitFor();
    expect(await stack.ended(id)).toMatchObject({ state: 'cancelled' });
    await page.getByRole('button', { name: 'Run the rest again' }).click();
    await page.getByText('run 2', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Cancel …' }).waitFor();
    await stack.client.cancel(id);
    await page.getByRole('heading', { name: /^Cancelled; / }).waitFor();
  });

  test('says of a job whose records have been removed that they have, and asks for it no more', async () => {
    const id = await start();
    await stack.ended(id);
    const storage = openAzurite(stack.connectionString);
    await removeJob(storage, id, { records: true, listed: (await findEntries(storage)).get(id) });
    const tab = await tabs.open('#/jobs');
    const { page, requests } = tab;
    tab.expectStatus(410);
    await page.clock.install();
    await page.goto(`${stack.url}/api/#/jobs/${id}`);
    const said = page.getByRole('alert');
    await said.getByText(/ ended on \d{4}-\d\d-\d\d, and its records have been removed since; .+ a new job /).waitFor();
    await page.clock.runFor(120_000);
    expect(requests.filter(({ url }) => url.pathname.startsWith(`/api/jobs/${id}`))).toHaveLength(1);
    expect(await page.getByRole('main').getByRole('button').count()).toBe(0);
    expect(await barriersOf(tab)).toEqual([]);
    expect(await jobOf(storage, id).exists()).toBe(false);
  });

  test('says why it failed', async () => {
    const id = await start({ input: { video: video.replace(/[^/]+$/, 'none.mp4') } }).catch(() => undefined);
    expect(id).toBeUndefined();
    const failed = { ...statusOf(), state: 'failed', error: { kind: 'user', message: `Bad ${HOSTILE}.` } } as const;
    const { page } = await openFake(failed, []);
    await page.getByRole('alert').getByText(`Bad ${HOSTILE}.`).waitFor();
    expect(await page.getByRole('button', { name: 'Run the rest again' }).count()).toBe(1);
  });

  test('shows what a model says of pictures and gives it to take along, and names a picture that cannot be shown', async () => {
    const folder = path.join(stack.folder, 'said of');
    mkdirSync(folder);
    await sharp(path.resolve('samples/style-waves.jpg')).resize(32, 32).toFile(path.join(folder, 'waves.jpg'));
    writeFileSync(path.join(folder, 'none.jpg'), 'no picture');
    const file = path.join(stack.folder, 'values.onnx');
    writeFileSync(file, scoringModel([1, 3, 4, 4]));
    writeFileSync(`${file}.json`, JSON.stringify({ output: { kind: 'classes', top: 2 }, input: { range: [0, 1] } }));
    const model = await stack.client.upload('model', file, { card: `${file}.json` });
    const images = await uploadFolder(stack.client, folder, '', new LeftOut());
    const id = await stack.client.start({ input: { images }, model, tolerate: { failedItems: 1 } });
    await stack.ended(id);
    const tab = await tabs.open(`#/jobs/${id}`);
    const { page } = tab;
    await page.getByText('This picture cannot be shown.').waitFor();
    expect(await page.getByRole('img', { name: 'waves.jpg, as it came' }).count()).toBe(1);
    await expect.poll(() => page.getByRole('meter').count()).toBe(2);
    const href = await page.getByRole('link', { name: /^predictions\.jsonl/ }).getAttribute('href');
    expect(await (await fetch(href ?? '')).text()).toContain('"item":"waves.jpg"');
    const table = await page.getByRole('link', { name: /^predictions\.csv/ }).getAttribute('href');
    expect(await (await fetch(table ?? '')).text()).toContain('waves.jpg,');
    expect(await barriersOf(tab)).toEqual([]);
  });

  /** The view of a job that the app tells of in these words. */
  async function openFake(status: JobStatus, batches: BatchRow[], look = {}): Promise<Tab> {
    const tab = await tabs.open('#/jobs', look);
    await tab.page.route(/\/api\/jobs\/big-aaaaaaaa/, async (route) => {
      const { pathname, searchParams } = new URL(route.request().url());
      const list: BatchList = { run: 1, at: '', batches: searchParams.has('since') ? [] : batches, next: '1.0.1.' };
      if (pathname.endsWith('/pictures')) return route.fulfill({ json: { pictures: [] } });
      if (pathname.includes('/files/')) return route.fulfill({ status: 404, json: { error: 'None.' } });
      return route.fulfill({ json: pathname.endsWith('/batches') ? list : status });
    });
    tab.expectStatus(404);
    await tab.page.evaluate(() => {
      location.hash = '#/jobs/big-aaaaaaaa';
    });
    return tab;
  }

  test.each([
    { width: 1280, dark: false },
    { width: 390, dark: true },
  ])('stays quick with 2,500 batches, names from outside as text, and free of barriers: %j', async (look) => {
    const tab = await openFake(statusOf(), manyRows(), look);
    const { page } = tab;
    await page.getByRole('link', { name: 'batch 0007', exact: true }).first().waitFor();
    const shown = await page.getByRole('rowheader').allTextContents();
    expect(shown.slice(0, 4)).toEqual(['batch 0007', 'batch 0407', 'batch 0807', 'batch 1207']);
    expect(shown.length).toBeLessThan(60);
    expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(2000);
    await page.getByRole('rowgroup', { name: /^Rows of batches/ }).evaluate((rows) => rows.scrollTo(0, 1e6));
    await page.getByRole('rowheader', { name: 'batch 2499' }).waitFor();
    await page.getByRole('button', { name: /^With failures/ }).click();
    await expect.poll(() => page.getByRole('rowheader').count()).toBe(6);
    expect(await page.getByText(HOSTILE).count()).toBeGreaterThan(2);
    expect(await page.title()).toBe(`${HOSTILE}.mp4 · Batch scoring`);
    expect(await fits(tab)).toBe(true);
    expect(await barriersOf(tab)).toEqual([]);
  });
});

const T0 = Date.parse('2026-11-27T06:00:00Z');

function manyRows(): BatchRow[] {
  return Array.from({ length: 2500 }, (_, batch): BatchRow => {
    const same = { batch, first: batch * 40, count: 40, message: '' };
    if (batch >= 2300) return { ...same, state: 'pending', done: 0, failed: 0, waiting: null, runs: 0, attempts: [] };
    const from = T0 + Math.floor(batch / 20) * 25_000 + (batch >= 1000 ? 9e6 : 0);
    const attempt = {
      attempt: 1,
      helps: null,
      place: HOSTILE,
      launchedAt: from,
      placedAt: from + 1000,
      pulledAt: null,
      startedAt: from + 5000,
      modelLoadedAt: from + 7000,
      firstItemAt: from + 7500,
      lastItemAt: from + 20_000,
      endedAt: from + 21_000,
    };
    if (batch % 400 !== 7) {
      const attempts = [{ ...attempt, end: 'complete', blame: null, message: '' } as const];
      return { ...same, state: 'done', done: 40, failed: 0, waiting: null, runs: 1, attempts };
    }
    const message = `the scorer was killed by ${HOSTILE}`;
    const attempts = [{ ...attempt, end: 'failed', blame: 'attempt', message } as const];
    return { ...same, state: 'failed', done: 30, failed: 10, waiting: null, message, runs: 1, attempts };
  });
}

function statusOf(): JobStatus {
  const status = {
    id: 'big-aaaaaaaa',
    run: 1,
    state: 'running',
    stage: 'score',
    items: { total: 100_000, done: 91_940, failed: 60 },
    batches: { total: 2500, pending: 200, running: 0, done: 2294, failed: 6 },
    attempts: 2300,
    ranOn: {},
    waiting: [`Batches 2300, 2301: ${HOSTILE}`],
    itemsPerSecond: 31.2,
    framesPerSecond: 31.2,
    secondsLeft: 260,
    containerTime: { sentence: 'Most is inference.', percent: { start: 20, inference: 80 }, seconds: {} },
    phases: {},
    stages: { prepare: 3, split: 100, score: 3000 },
    warnings: [`The picture ${HOSTILE} is odd.`],
    error: null,
    cost: { soFar: 1.234, inAll: { low: 1.3, high: 1.5 } },
    bottleneck: '82 % of the time is encoding.',
    cancelled: null,
    output: null,
    predictions: null,
    createdAt: new Date(T0).toISOString(),
    spec: { input: { video: `inbox/${HOSTILE}.mp4` }, model: HOSTILE, compute: { kind: 'aci' }, output: {} },
    reportedAt: new Date(T0).toISOString(),
  };
  return status as unknown as JobStatus;
}
