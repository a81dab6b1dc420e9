import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest';
import { browserHere } from './browser.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = path.resolve(import.meta.dirname, '../../docs');
/** What waits for a job waits as long as a busy machine needs. */
const PATIENCE_MS = 120_000;

export interface Look {
  width?: number;
  height?: number;
  dark?: boolean;
}

export interface Tab {
  page: Page;
  /** What it has asked for since it was opened, but for addresses of its own memory. */
  requests: { method: string; url: URL; headers: Record<string, string> }[];
  /** Answers with this status are none of the complaints that end a test. */
  expectStatus: (...statuses: number[]) => void;
}

export const browser = browserHere();
if (browser === undefined)
  console.warn('The page is not looked at: this machine has no Chromium; install it as "chromium".');

/**
 * A browser for the tests of a file. Each tab has a window of its own, with nothing kept from another. A test fails when a page in it
 * complains, breaks its policy, or asks anybody but the app and its storage.
 */
export function useTabs(): { open: (address?: string, look?: Look & { of?: string; beside?: Tab }) => Promise<Tab> } {
  let running: Browser;
  const contexts: BrowserContext[] = [];
  const complaints: string[] = [];
  beforeAll(async () => {
    running = await chromium.launch({ executablePath: browser ?? '', args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(() => running.close());

  async function openWindow({ width = 1280, height = 800, dark = false }: Look): Promise<BrowserContext> {
    const context = await running.newContext({
      viewport: { width, height },
      colorScheme: dark ? 'dark' : 'light',
      reducedMotion: 'reduce',
    });
    contexts.push(context);
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`The policy forbids ${violatedDirective} of ${blockedURI}.`),
      );
    });
    return context;
  }

  return {
    open: async (address = '', { of = inject('stack').url, beside, ...look } = {}) => {
      const context = beside?.page.context() ?? (await openWindow(look));
      const page = await context.newPage();
      const own = [new URL(of).origin, blobOrigin()];
      const requests: Tab['requests'] = [];
      const expected = new Set<string>();
      page.on('request', (request) => {
        const url = new URL(request.url());
        if (['data:', 'blob:'].includes(url.protocol)) return;
        requests.push({ method: request.method(), url, headers: request.headers() });
        if (!own.includes(url.origin)) complaints.push(`The page asks for ${url.href}.`);
      });
      page.on('pageerror', ({ message }) => complaints.push(message));
      page.on('console', (said) => {
        const status = /status of (\d+)/.exec(said.text())?.[1] ?? (said.text().includes('ERR_CONNECTION') ? '0' : '');
        if (said.type() === 'error' && !expected.has(status)) complaints.push(said.text());
      });
      await page.goto(`${of}/api/${address}`);
      return { page, requests, expectStatus: (...statuses) => statuses.forEach((each) => expected.add(String(each))) };
    },
  };
}

const blobOrigin = () => new URL(/BlobEndpoint=([^;]+)/.exec(inject('storage'))?.[1] ?? '').origin;

/** What assistive technology has against a page, each with the element that it is about. */
export async function barriersOf({ page }: Tab): Promise<string[]> {
  await page.evaluate(AXE);
  return await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  });
}

/** Whether all of it is in the window without scrolling sideways. */
export const fits = ({ page }: Tab): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

/** Whether pictures for the documents are asked for: `DOCS_PICTURES=1 npm run test:browser`. */
export const keepsPictures = process.env.DOCS_PICTURES === '1';

export async function keepPicture({ page }: Tab, name: string): Promise<void> {
  if (!keepsPictures) return;
  await page.screenshot({ path: path.join(PICTURES, name), animations: 'disabled' });
}
