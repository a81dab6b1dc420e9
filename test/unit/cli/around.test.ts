import { afterEach, expect, test, vi } from 'vitest';
import { createAround } from '../../../src/cli/around.js';

afterEach(() => void vi.restoreAllMocks());

const HOSTILE = '/home/me/\u001B[2J\u001B]0;x\u0007a\rb\u009B\u202Eg.mp4';

function saidWith(json: boolean): string {
  const said: string[] = [];
  for (const stream of ['log', 'error'] as const)
    vi.spyOn(console, stream).mockImplementation((line: string) => void said.push(line));
  const { print, note } = createAround({ env: {}, signal: new AbortController().signal, json });
  print(json ? JSON.stringify({ output: HOSTILE }) : `Video:\t${HOSTILE}\nnext`);
  note(HOSTILE);
  return said.join('\n');
}

test('a name steers no terminal and turns no text around in what a command prints', () => {
  const said = saidWith(false);
  expect(said).not.toMatch(/[^\P{Cc}\t\n]|\u202E/u);
  expect(said).toContain('Video:\t/home/me/\uFFFD[2J');
  expect(said).toContain('g.mp4\nnext');
});

test('a name stays as it is in JSON', () => {
  const [printed = '', noted = ''] = saidWith(true).split('\n');
  expect(JSON.parse(printed)).toEqual({ output: HOSTILE });
  expect(JSON.parse(noted)).toEqual({ note: HOSTILE });
});
