import { beforeAll, describe, expect, test } from 'vitest';
import { listEnded } from '../support/listed.js';
import { barriersOf, browser, fits, useTabs } from '../support/tabs.js';
import { useStack } from '../support/stack.js';

describe.skipIf(browser === undefined)('the page', () => {
  const stack = useStack();
  const tabs = useTabs();
  beforeAll(() => listEnded('coast-aaaaaaaa'));

  test('comes as a few small files, and asks for nothing but the jobs and a small picture of each', async () => {
    const tab = await tabs.open();
    await tab.page.getByRole('listitem').first().waitFor();
    const pictures = tab.requests.filter(({ url }) => url.pathname.endsWith('/thumbnail.jpg'));
    const first = tab.requests.filter((request) => !pictures.includes(request));
    const own = first.map(({ url }) => url.pathname.replace(/\.[A-Z0-9]{8}\./, '.'));
    const files = own.filter((path) => path !== '/api/jobs');
    expect(files.toSorted()).toEqual(['/api/', '/api/app.js', '/api/style.css']);
    expect(new Set(own)).toEqual(new Set([...files, '/api/jobs']));
    const weighed = (some: typeof first) =>
      Promise.all(some.map(async ({ url }) => (await (await fetch(url)).arrayBuffer()).byteLength));
    const weight = (await weighed(first.slice(0, 4))).reduce((sum, bytes) => sum + bytes, 0);
    expect(weight).toBeLessThan(150_000);
    for (const bytes of await weighed(pictures)) expect(bytes).toBeLessThan(30_000);
  });

  test.each([
    [1280, false],
    [1280, true],
    [360, false],
    [360, true],
  ])('is %i pixels wide (dark: %s), and open to everybody in each view', async (width, dark) => {
    const tab = await tabs.open('', { width, dark });
    await tab.page.getByRole('listitem').first().waitFor();
    expect(await barriersOf(tab)).toEqual([]);
    expect(await fits(tab)).toBe(true);
    await tab.page.getByRole('link', { name: 'Start a job' }).first().click();
    await tab.page.getByRole('radio', { name: 'starry-night' }).waitFor();
    await tab.page.getByText('More', { exact: true }).click();
    expect(await barriersOf(tab)).toEqual([]);
    expect(await fits(tab)).toBe(true);
  });

  test('is worked by keys alone', async () => {
    const { page } = await tabs.open();
    await page.getByRole('listitem').first().waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.keyboard.press('?');
    const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await help.waitFor();
    expect(await help.textContent()).toContain('Find a job');
    await page.keyboard.press('n');
    await page.keyboard.press('Escape');
    expect(await page.title()).toBe('Jobs · Batch scoring');
    await page.keyboard.press('/');
    await page.keyboard.type('nothing has this name');
    await page.getByText('No such job here').waitFor();
    await page.getByRole('searchbox').fill('');
    await page.getByRole('searchbox').blur();
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Start a job' }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Start a job');
    await page.keyboard.press('?');
    await help.getByRole('checkbox').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    expect(await page.title()).toBe('Start a job · Batch scoring');
  });

  test('says so where there is nothing', async () => {
    const tab = await tabs.open('#/nowhere');
    await tab.page.getByText('leads to no view').waitFor();
    tab.expectStatus(404);
    await tab.page.goto(`${stack.url}/api/#/jobs/no-such-job`);
    await tab.page.getByText('There is no job "no-such-job"').waitFor();
  });
});
