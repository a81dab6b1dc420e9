import path from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import getPort from 'get-port';
import { describe, expect, inject, test } from 'vitest';
import { HostProcess, newHub } from '../../devhost/test/support/host-process.js';
import { makeClip } from '../support/clip.js';
import { listEnded } from '../support/listed.js';
import { useStack } from '../support/stack.js';
import { browser, keepPicture, keepsPictures, useTabs } from '../support/tabs.js';
import { until } from '../support/wait.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const HOSTILE = [
  '<img src=x onerror="document.title=\'taken\'">.mp4',
  '日本語 100% "café" & it\'s #1?.mp4',
  'a'.repeat(120),
  '‮gpj.exe',
];

describe.skipIf(browser === undefined)('the list of jobs', () => {
  const stack = useStack();
  const tabs = useTabs();

  test.runIf(keepsPictures)('is a picture for the documents', async () => {
    const now = Date.now();
    const ago = (minutes: number) => now - minutes * 60_000;
    await listEnded('birds', {
      acceptedAt: ago(190),
      input: 'inbox/birds.mp4',
      end: { items: { total: 1440, done: 1440, failed: 0 }, now: 'done with 1440 items' },
    });
    const broken = 'failed: 3 of 214 items could not be scored, and none may fail.';
    await listEnded('harbour', {
      acceptedAt: ago(75),
      input: 'inbox/harbour/',
      end: { state: 'failed', now: broken, items: { total: 214, done: 211, failed: 3 } },
    });
    await listEnded('village', {
      acceptedAt: ago(31),
      input: 'inbox/village at night.mov',
      end: { state: 'cancelled', now: 'cancelled by request', items: { total: 900, done: 411, failed: 0 } },
    });
    const video = await stack.client.upload('video', path.join(ROOT, 'samples/coast.mp4'));
    for (const share of [1, 0.4]) {
      const id = await stack.client.start({ input: { video }, model: 'starry-night' });
      await until('the frames', async () => {
        const { state, stage, items } = await stack.client.status(id);
        return state === 'done' || (share < 1 && stage === 'score' && items.done >= share * items.total) || undefined;
      });
    }
    const tab = await tabs.open();
    await tab.page.getByText('running', { exact: true }).nth(1).waitFor();
    await tab.page.waitForTimeout(1500);
    await keepPicture(tab, 'page-jobs.png');
  });

  test('tells in every tab how far a job is, and that it has ended', async () => {
    const video = await stack.client.upload(
      'video',
      makeClip(path.join(stack.folder, 'two tabs.mp4'), { size: '96x54', seconds: 0.5 }),
    );
    const first = await tabs.open();
    const second = await tabs.open('#/jobs', { beside: first });
    const id = await stack.client.start({ input: { video }, model: 'starry-night' });
    for (const { page } of [first, second]) {
      const row = page.getByRole('listitem').filter({ has: page.locator(`a[href="#/jobs/${id}"]`) });
      await row.getByText('done', { exact: true }).waitFor();
      expect(await row.textContent()).toMatch(/two-tabs\.mp4.*6 of 6 items/);
    }
    expect((await stack.client.status(id)).state).toBe('done');
  });

  test('shows names from outside as text', async () => {
    await Promise.all(
      HOSTILE.map((name, index) => {
        const now = `failed: ${name}`;
        return listEnded(`hostile-${index}`, { input: `inbox/${name}`, end: { state: 'failed', now } });
      }),
    );
    const { page } = await tabs.open('', { width: 400 });
    for (const [index, name] of HOSTILE.entries()) {
      const row = page.getByRole('listitem').filter({ has: page.locator(`a[href="#/jobs/hostile-${index}"]`) });
      await row.waitFor();
      expect(await row.getByRole('heading').textContent()).toBe(name);
      expect(await row.textContent()).toContain(`Failed: ${name}`);
    }
    expect(await page.title()).toBe('Jobs · Batch scoring');
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });

  test('keeps to a state, finds words, and brings older jobs when it is asked to', async () => {
    const long = Date.UTC(2020, 0, 1);
    const numbers = Array.from({ length: 60 }, (_, index) => index);
    const entries = numbers.map((number) =>
      listEnded(`old-${number}`, {
        acceptedAt: long + number * 1000,
        end: { state: 'cancelled', now: 'was cancelled' },
      }),
    );
    await Promise.all(entries);
    const { page } = await tabs.open();
    await page.getByRole('radio', { name: 'cancelled' }).check();
    const rows = page.getByRole('listitem').filter({ hasText: 'old-' });
    const all = page.getByRole('listitem');
    const older = page.getByRole('button', { name: 'Older jobs' });
    await all.nth(24).waitFor();
    expect(await all.count()).toBe(25);
    await older.click();
    await all.nth(49).waitFor();
    await older.click();
    await older.waitFor({ state: 'detached' });
    expect(await page.getByRole('heading', { name: /^old-/ }).allTextContents()).toEqual(
      numbers.toReversed().map((number) => `old-${number}.mp4`),
    );
    await page.getByRole('searchbox', { name: 'Find a job' }).fill('OLD-42 starry');
    await expect.poll(() => rows.count()).toBe(1);
  });

  test('asks for a key once where the app wants one, and goes on when its host was killed and is back', async () => {
    const [hub, port] = [newHub(), await getPort()];
    const start = () =>
      new HostProcess({
        app: ROOT,
        hub,
        program: path.join(ROOT, 'dist/stack/devhost/main.js'),
        args: ['--hub', hub, '--port', String(port), '--enforce-keys'],
      }).ready();
    let host = await start();
    try {
      const tab = await tabs.open('', { of: host.url });
      const { page, requests } = tab;
      tab.expectStatus(401, 503, 0);
      const field = page.getByLabel('Function key of this app');
      await field.fill('wrong');
      await field.press('Enter');
      await page.getByText('does not know that key').waitFor();
      const key = await keyOf(hub);
      await field.fill(key);
      await field.press('Enter');
      await page.getByText('As of').waitFor();
      await host.stop('SIGKILL');
      await page.getByText('does not answer').waitFor();
      host = await start();
      await page.getByText('does not answer').waitFor({ state: 'detached' });
      await page.reload();
      await page.getByText('As of').waitFor();
      expect(await field.count()).toBe(0);
      expect(requests.filter(({ url }) => url.href.includes(key))).toEqual([]);
      expect(requests.filter(({ headers }) => headers['x-functions-key'] === key).length).toBeGreaterThan(2);
      expect(
        await page.evaluate(() => [location.href, document.cookie, JSON.stringify(localStorage)].join()),
      ).not.toContain(key);
    } finally {
      await host.stop();
    }
  });
});

async function keyOf(hub: string): Promise<string> {
  const secrets = BlobServiceClient.fromConnectionString(inject('storage')).getContainerClient('azure-webjobs-secrets');
  const text = await secrets.getBlobClient(`${hub.toLowerCase()}/host.json`).downloadToBuffer();
  const { functionKeys } = JSON.parse(text.toString()) as { functionKeys: { value: string }[] };
  return functionKeys[0]?.value ?? '';
}
