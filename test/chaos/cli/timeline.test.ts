import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createJobClient } from '../../../src/cli/client/client.js';
import { renderPage } from '../../../src/cli/trace/html.js';
import { buildTrace } from '../../../src/cli/trace/tree.js';
import { findStack } from '../../../src/stack/stack.js';
import type { TelemetryRecord } from '../../../src/telemetry/records.js';
import { type Browser, browserHere, type Page, startBrowser } from '../../support/browser.js';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { jobRecords, span } from '../../support/trace.js';
import { until } from '../../support/wait.js';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-timeline-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The page of a trace as a file, as the command line makes it. */
function pageOf(name: string, records: TelemetryRecord[]): string {
  const trace = buildTrace(records, 0);
  if (!trace) throw new Error('There is no trace.');
  const script = readFileSync(path.join(ROOT, 'dist/cli/trace/page/timeline.js'), 'utf8');
  const style = readFileSync(path.join(ROOT, 'src/cli/trace/page/timeline.css'), 'utf8');
  const file = path.join(folder, `${name}.html`);
  writeFileSync(file, renderPage(trace, { script, style }));
  return file;
}

test('a page leaves the shortest spans out when there are far too many, and says so', () => {
  const records: TelemetryRecord[] = jobRecords({ lanes: 1, batches: 1 });
  const small = span('activity:small', [3, 3.01], { parentId: records[0]?.id });
  for (let index = 0; index < 120_000; index += 1) records.push({ ...small, id: `small ${index}` });
  const page = readFileSync(pageOf('far too many', records), 'utf8');
  expect(page.length).toBeLessThan(100_000);
  expect(page).toContain('attempt 1 of batch 0');
  expect(page).toMatch(/120000 shortest/);
});

test('npm start -- --telemetry shows a whole trace when a job ends', async () => {
  const data = path.join(folder, 'data');
  let kill: (signal: NodeJS.Signals) => void = () => undefined;
  const running = runCli(['start', '--telemetry', '--data', data], { onSpawn: (told) => (kill = told) });
  try {
    const { url } = await until('the stack', () => findStack(data));
    const client = createJobClient(url, undefined);
    const video = await client.upload('video', makeClip(path.join(folder, 'clip.mp4'), { size: '96x54' }));
    const id = await client.start({ input: { video }, model: 'starry-night' });
    const page = path.join(data, 'telemetry', `trace-${id}.html`);
    const html = await until('the whole page', () => {
      const text = existsSync(page) ? readFileSync(page, 'utf8') : '';
      return text.includes('</html>') ? text : undefined;
    });
    const { attempts } = await client.status(id);
    expect(html.match(/"attempt \d+ of batch \d+"/g)).toHaveLength(attempts);
  } finally {
    kill('SIGINT');
  }
  const { code, stdout } = await running;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Job \S+: done in \d+\.\d s/m);
  expect(stdout).toMatch(/scoreLane.*stitchVideo.*settleBatch.*batch │ attempt.*stored/s);
  expect(stdout).not.toMatch(/not reported|could not be read|clocks differ/);
});

const browser = browserHere();
if (browser === undefined) console.warn('The timeline is not looked at: this machine has no Chromium.');

describe.skipIf(browser === undefined)('the timeline in a browser', () => {
  let running: Browser;
  beforeAll(async () => {
    running = await startBrowser(browser ?? '');
  });
  afterAll(() => running.close());

  const labels = (page: Page) => page.evaluate(`[...document.querySelectorAll('.name')].map((one) => one.textContent)`);
  const chosen = (page: Page) => page.evaluate(`document.querySelector('[aria-selected=true]').textContent`);
  const ticks = (page: Page) => page.evaluate(`document.querySelector('#axis').textContent`);

  test.each([
    [1280, false],
    [1280, true],
    [400, false],
    [400, true],
  ])('fits %i pixels (dark: %s), asks for nothing and breaks no policy', async (width, dark) => {
    const page = await running.open(pageOf('job', jobRecords({ lanes: 4, batches: 3 })), { width, dark });
    expect(await labels(page)).toContain('scoreLane 0');
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(
      await page.evaluate(`(() => {
        const { data } = document.querySelector('#bars').getContext('2d').getImageData(0, 0, 400, 400);
        return new Set(new Uint32Array(data.buffer)).size;
      })()`),
    ).toBeGreaterThan(4);
    expect(page.complaints).toEqual([]);
  });

  test('is worked by keys alone', async () => {
    const page = await running.open(pageOf('keys', jobRecords({ lanes: 2, batches: 2 })));
    await page.evaluate(`document.querySelector('#tree').focus()`);
    for (let row = 0; row < 7; row += 1) await page.press('ArrowDown');
    expect(await chosen(page)).toMatch(/scoreBatch 0/);
    await page.press('ArrowRight');
    expect(await chosen(page)).toMatch(/launchBatch/);
    await page.press('ArrowDown');
    expect(await page.evaluate(`document.querySelector('#details').textContent`)).toMatch(
      /attempt 1 of batch 0.*2026-11-26 10:00:02\.100 UTC.*3\.30 s.*attempt\.ended/s,
    );
    await page.press('ArrowLeft');
    await page.press('ArrowLeft');
    expect(await chosen(page)).toMatch(/scoreBatch 0/);
    expect(await labels(page)).not.toContain('attempt 1 of batch 0');
    const whole = await ticks(page);
    await page.press('Enter');
    const near = await ticks(page);
    expect(near).not.toBe(whole);
    await page.press('0');
    expect(await ticks(page)).toBe(whole);
    await page.press('+');
    expect(await ticks(page)).not.toBe(whole);
    await page.press('/');
    expect(await labels(page)).toEqual(['POST /api/jobs']);
    expect(page.complaints).toEqual([]);
  });

  test('opens a row by a click on its mark, and the buttons do what they say', async () => {
    const page = await running.open(pageOf('mouse', jobRecords({ lanes: 1, batches: 1 })));
    const press = async (selector: string) => {
      const place = `(({ x, y, width, height }) => [x + width / 2, y + height / 2])(${selector}.getBoundingClientRect())`;
      const [x = 0, y = 0] = (await page.evaluate(place)) as number[];
      await page.click(x, y);
    };
    await press(`document.querySelector('[data-key="/"]')`);
    expect(await labels(page)).toEqual(['POST /api/jobs']);
    await press(`document.querySelector('.mark')`);
    expect(await labels(page)).toEqual(['POST /api/jobs', 'start scoreJob']);
    await press(`document.querySelector('[data-key="*"]')`);
    expect(await labels(page)).toContain('modelLoaded');
  });

  test('says on a folded row that an attempt in it failed', async () => {
    const records = jobRecords({ lanes: 2, batches: 100 }).map((record) =>
      record.name === 'attempt' && record.dimensions.batch === '3' ? { ...record, ok: false } : record,
    );
    const page = await running.open(pageOf('failed', records));
    const lane = `[...document.querySelectorAll('.row')].find((one) => one.textContent.includes('scoreLane 1'))`;
    expect(await page.evaluate(`${lane}.getAttribute('aria-label')`)).toContain('1 failed inside');
    expect(await page.evaluate(`${lane}.textContent`)).toContain('1 failed');
  });

  test('shows names as text, whatever they are', async () => {
    const evil = '</script><script>document.title = "run"</script><img src=x onerror="document.title = 1">';
    const records = jobRecords({ lanes: 1, batches: 1, model: evil }).map((record) =>
      record.name === 'activity:splitVideo' ? { ...record, name: `activity:${evil}` } : record,
    );
    const page = await running.open(pageOf('names', records));
    expect(await labels(page)).toContain(evil);
    expect(await page.evaluate('document.title')).toMatch(/^Job/);
    expect(await page.evaluate('document.images.length')).toBe(0);
    expect(page.complaints).toEqual([]);
  });

  test('of 2,500 batches opens with its lanes folded, and draws only what is seen', async () => {
    const file = pageOf('large', jobRecords({ lanes: 10, batches: 250 }));
    expect(readFileSync(file).length).toBeLessThan(4_000_000);
    const page = await running.open(file);
    expect(await labels(page)).toHaveLength(18);
    await page.evaluate(`document.querySelector('[data-key="*"]').click()`);
    await page.evaluate(`document.querySelector('#tree').focus()`);
    await page.press('End');
    expect(await page.evaluate(`document.querySelectorAll('.row').length`)).toBeLessThan(100);
    expect(await chosen(page)).toMatch(/finishJob/);
    expect(page.complaints).toEqual([]);
  });
});
