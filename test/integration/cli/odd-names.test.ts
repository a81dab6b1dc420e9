import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CliResult, runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { ROOT } from '../../support/scorer/harness.js';
import { useStack } from '../../support/stack.js';

const stack = useStack();
const file = (name: string) => path.join(stack.folder, name);
const run = (...args: string[]) => runCli([...args, '--data', stack.data], { cwd: stack.folder });

/** In a name, it would begin a line of its own and colour it. */
const GREEN = '\u001b[32m';
const FORGERY = `\n${GREEN}Forged: `;
const FORGED = /^.{0,6}Forged/m;
const MARKED = /\ufffd\ufffd\[32mForged: /;

function expectNothingForged({ stdout, stderr, code }: CliResult, said: RegExp): void {
  expect(code, stderr).toBe(0);
  for (const text of [stdout, stderr]) {
    expect(text).not.toMatch(FORGED);
    expect(text).not.toContain(GREEN);
  }
  expect(stdout).toMatch(said);
}

const marked = (beginning: string) => new RegExp(`^${beginning}.*${MARKED.source}`, 'm');

describe('a name with a line feed and a colour in it', () => {
  beforeAll(() => {
    makeClip(file('clip.mp4'), { seconds: 1 });
    mkdirSync(file(`pictures${FORGERY}in`));
    copyFileSync(path.join(ROOT, 'samples/style-waves.jpg'), file(`pictures${FORGERY}in/good.jpg`));
    writeFileSync(file(`pictures${FORGERY}in/bad.jpg`), 'no picture');
  });

  test('forges no line of what score, status and jobs say of a video', async () => {
    const scored = await run('score', 'clip.mp4', '--out', `out${FORGERY}.mp4`, '--contact-sheet', `s${FORGERY}.png`);
    expectNothingForged(scored, marked('Video: +/'));
    expect(scored.stdout).toMatch(marked('Contact sheet: /'));
    for (const command of ['status', 'jobs']) expectNothingForged(await run(command), /done/);
  });

  test('forges no line of what score says of a folder', async () => {
    const scored = await run('score', `pictures${FORGERY}in`, '--tolerate', '1', '--out', `o${FORGERY}`);
    expectNothingForged(scored, marked('Outputs: +/'));
    expect(scored.stdout).toMatch(marked('Not scored: '));
  });

  test('forges no line of what plan, preview and models say', async () => {
    const model = file(`model${FORGERY}.onnx`);
    copyFileSync(path.join(ROOT, 'models/starry-night.onnx'), model);
    writeFileSync(model.replace('.onnx', '.json'), JSON.stringify({ description: `paints${FORGERY}` }));
    expectNothingForged(await runCli(['models', 'list', model], { cwd: stack.folder }), marked(''));
    const out = ['--out', `tried${FORGERY}.png`];
    const tried = await runCli(['models', 'try', model, file('pictures.jpg'), ...out], { cwd: stack.folder });
    expect(tried.code).toBe(2);
    const picture = path.join(ROOT, 'samples/style-waves.jpg');
    const made = await runCli(['models', 'try', model, picture, ...out], { cwd: stack.folder });
    expectNothingForged(made, marked('Output: '));
  });

  test('forges no line of what is said where nothing is done', async () => {
    const folder = file(`data${FORGERY}`);
    expectNothingForged(await runCli(['clean', '--data', folder]), marked('There is no folder '));
    const refused = await run('score', `clip${FORGERY}.mp4`);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr.trim().split('\n')).toHaveLength(1);
    const option = await run('jobs', '--state', `x${FORGERY}`);
    expect(option).toMatchObject({ code: 2, stdout: '' });
    expect(option.stderr).not.toMatch(FORGED);
  });
});
