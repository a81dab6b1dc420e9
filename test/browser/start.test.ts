import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../src/page/start/uploads.js';
import { makeClip } from '../support/clip.js';
import { useStack } from '../support/stack.js';
import { browser, keepPicture, keepsPictures, type Tab, useTabs } from '../support/tabs.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const STYLE = path.join(ROOT, 'samples/style-waves.jpg');
const NAMES = ['<img src=x onerror="document.title=1">.jpg', '日本 100% #1 "a" it\'s.jpg', 'deeper/ ünder.jpg'];

const choose = async ({ page }: Tab, button: string, files: string | string[]) => {
  await page.getByLabel(button).setInputFiles(files);
};
const begin = async ({ page }: Tab): Promise<string> => {
  await page.getByRole('button', { name: 'Start the job' }).click();
  await page.waitForURL(/#\/jobs\/[a-z0-9-]+$/);
  return new URL(page.url()).hash.slice('#/jobs/'.length);
};

describe.skipIf(browser === undefined)('a job that is started on the page', () => {
  const stack = useStack();
  const tabs = useTabs();

  test.runIf(keepsPictures)('is a picture for the documents', async () => {
    const tab = await tabs.open('#/start');
    await choose(tab, 'Choose files', path.join(ROOT, 'samples/coast.mp4'));
    await tab.page.getByText('at a time').waitFor();
    await keepPicture(tab, 'page-start.png');
  });

  test('scores a video that was chosen, as was said', async () => {
    const video = makeClip(path.join(stack.folder, 'Küste 100% "x" <b>.mp4'), { size: '96x54', seconds: 0.5 });
    const tab = await tabs.open('#/start');
    const { page } = tab;
    await choose(tab, 'Choose files', video);
    await page.getByText('Küste 100% "x" <b>.mp4', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Choose something else' }).press('Enter');
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('input-title');
    await choose(tab, 'Choose files', video);
    await page.getByRole('button', { name: 'Choose something else' }).waitFor();
    await page.getByRole('radio', { name: 'starry-night' }).check();
    await page.getByLabel('Quality').selectOption('best');
    await page.getByLabel('Items that may fail').fill('50%');
    const id = await begin(tab);
    const { state, items, spec } = await stack.ended(id);
    expect([state, items.done]).toEqual(['done', 6]);
    expect(spec).toMatchObject({ output: { quality: 'best' }, tolerate: { failedPercent: 50 } });
  });

  test('scores the pictures of a folder under their own names, whatever these are', async () => {
    const folder = path.join(stack.folder, 'trip & <i>');
    mkdirSync(path.join(folder, 'deeper'), { recursive: true });
    await sharp(STYLE).resize(64, 48).toFile(path.join(stack.folder, 'small.jpg'));
    for (const name of NAMES) copyFileSync(path.join(stack.folder, 'small.jpg'), path.join(folder, name));
    writeFileSync(path.join(folder, 'notes.txt'), 'no picture');
    const tab = await tabs.open('#/start');
    await choose(tab, 'Choose a folder', folder);
    await tab.page.getByText('trip & <i>', { exact: true }).waitFor();
    await tab.page.getByText('1 other file is left out.').waitFor();
    expect(await tab.page.title()).toBe('Start a job · Batch scoring');
    const id = await begin(tab);
    expect(await stack.ended(id)).toMatchObject({ state: 'done', items: { done: 3 } });
    const outputs: string[] = [];
    for await (const files of stack.client.files(id)) outputs.push(...files.map(({ name }) => name));
    for (const name of NAMES) expect(outputs.join('\n')).toContain(name.replace('.jpg', ''));
  });

  test('has what was dropped anywhere on the page', async () => {
    const { page } = await tabs.open('#/jobs');
    await page.evaluate(
      (bytes) => {
        const files = new DataTransfer();
        files.items.add(new File([Uint8Array.from(bytes)], 'dropped.jpg', { type: 'image/jpeg' }));
        const event = (type: string) => new DragEvent(type, { dataTransfer: files, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event('dragover'));
        document.body.dispatchEvent(event('drop'));
      },
      [...readFileSync(STYLE)],
    );
    await page.getByRole('heading', { name: 'Start a job' }).waitFor();
    await page.getByText('1 picture, ').waitFor();
    await page.getByText('Uploaded.', { exact: true }).waitFor();
  });

  test('reads in storage what a large file was, of which a block broke off', async () => {
    const bytes = randomBytes(2.5 * BLOCK_BYTES);
    const file = path.join(stack.folder, 'large.mp4');
    writeFileSync(file, bytes);
    const tab = await tabs.open('#/start');
    tab.expectStatus(0, 400);
    let isFirst = true;
    await tab.page.route(/comp=block&/, (route) => {
      const breaks = isFirst;
      isFirst = false;
      return breaks ? route.abort('connectionreset') : route.continue();
    });
    await choose(tab, 'Choose files', file);
    await tab.page.getByText('Uploaded.', { exact: true }).waitFor();
    const placed = tab.requests.find(({ url }) => url.pathname.endsWith('/large.mp4'));
    const [, , container = '', ...blob] = decodeURIComponent(placed?.url.pathname ?? '').split('/');
    const stored = await stack.storage.getContainerClient(container).getBlobClient(blob.join('/')).downloadToBuffer();
    expect(createHash('sha256').update(stored).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  test('is refused beside the field that is wrong, and when nothing was chosen', async () => {
    const tab = await tabs.open('#/start');
    const { page } = tab;
    tab.expectStatus(400);
    await page.getByRole('button', { name: 'Start the job' }).click();
    await page.getByText('Choose a video or pictures first.').waitFor();
    await choose(tab, 'Choose files', [STYLE, path.join(ROOT, 'samples/coast.mp4')]);
    await page.getByText('1 video and 1 picture').waitFor();
    const broken = path.join(stack.folder, 'broken film.mp4');
    writeFileSync(broken, 'no video');
    await choose(tab, 'Choose files', broken);
    const input = page.getByRole('region', { name: 'What to score' });
    await input.getByRole('alert').getByText('broken film.mp4').waitFor();
    await page.getByRole('button', { name: 'Choose something else' }).click();
    await choose(tab, 'Choose files', STYLE);
    await page.getByText('Uploaded.', { exact: true }).waitFor();
    const field = page.getByLabel('Containers at once');
    await field.fill('many');
    await page.getByRole('button', { name: 'Start the job' }).click();
    await expect.poll(() => field.getAttribute('aria-invalid')).toBe('true');
    const said = await field.getAttribute('aria-describedby');
    expect(await page.locator(`#${said}`).textContent()).toContain('"batch.maxParallel"');
  });
});
