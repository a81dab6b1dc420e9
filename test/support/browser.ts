import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser of this machine, if it has one. */
export const browserHere = () => BROWSERS.find((file) => existsSync(file));

export interface Page {
  /** The value of an expression in the page, as JSON carries it. */
  evaluate: (expression: string) => Promise<unknown>;
  press: (key: string) => Promise<void>;
  click: (x: number, y: number) => Promise<void>;
  /** What the page has complained of, and what it has asked the network for. */
  complaints: string[];
}

export interface Browser {
  open: (file: string, look?: { width?: number; height?: number; dark?: boolean }) => Promise<Page>;
  close: () => Promise<void>;
}

interface Message {
  id?: number;
  sessionId?: string;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

/** Drives a browser without a window by the DevTools protocol over pipes: JSON, with a NUL behind each message. */
export async function startBrowser(file: string): Promise<Browser> {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'scoring-browser-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-pipe'];
  const child = spawn(file, [...flags, `--user-data-dir=${profile}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const write = child.stdio[3] as Writable;
  const read = child.stdio[4] as Readable;
  const answers = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, (message: Message) => void>();
  let text = '';
  read.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (text + chunk).split('\0');
    text = parts.pop() ?? '';
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      if (message.id !== undefined) answers.get(message.id)?.(message);
      else listeners.get(message.sessionId ?? '')?.(message);
    }
  });
  let calls = 0;
  const call = (method: string, params: object = {}, sessionId?: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const id = (calls += 1);
      answers.set(id, ({ result = {}, error }) => {
        answers.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result);
      });
      write.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });

  return {
    open: async (page, { width = 1280, height = 900, dark = false } = {}) => {
      const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
      const session = String(sessionId);
      const send = (method: string, params: object = {}) => call(method, params, session);
      const complaints: string[] = [];
      const url = pathToFileURL(page).href;
      let loaded: () => void = () => undefined;
      const loading = new Promise<void>((resolve) => (loaded = resolve));
      listeners.set(session, ({ method, params }) => {
        const said = JSON.stringify(params);
        if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') complaints.push(said);
        if (method === 'Network.requestWillBeSent' && !said.includes(`"url":"${url}"`)) complaints.push(said);
        if (method === 'Page.loadEventFired') loaded();
      });
      for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await send(`${domain}.enable`);
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
      await send('Emulation.setEmulatedMedia', { features });
      await send('Page.navigate', { url });
      await loading;
      const evaluate = async (expression: string) => {
        // What the page draws, it draws at the next frame.
        const drawn = `new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go))).then(() => (${expression}))`;
        const asked = { expression: drawn, awaitPromise: true, returnByValue: true };
        const { result, exceptionDetails } = await send('Runtime.evaluate', asked);
        if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
        return (result as { value?: unknown }).value;
      };
      return {
        evaluate,
        complaints,
        press: async (key) => {
          const event = { key, ...(key.length === 1 ? { text: key } : {}) };
          await send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
          await send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
        },
        click: async (x, y) => {
          for (const type of ['mousePressed', 'mouseReleased'])
            await send('Input.dispatchMouseEvent', { type, x, y, button: 'left', buttons: 1, clickCount: 1 });
        },
      };
    },
    close: async () => {
      void call('Browser.close').catch(() => undefined);
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
