import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCli } from '../../support/cli.js';
import { makeClip } from '../../support/clip.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { useStack } from '../../support/stack.js';
import { until } from '../../support/wait.js';

const stack = useStack();
const FRAMES = 48;

test('`frames` that is killed half-way leaves whole files alone under their names, and goes on with the rest', async () => {
  const clip = makeClip(path.join(stack.folder, 'clip.mp4'), { size: '320x240', rate: '48', seconds: 1 });
  const network = path.join(stack.folder, 'same.onnx');
  writeFileSync(network, tinyModel({ operator: 'Identity', shape: [1, 3, 'h', 'w'] }));
  const [video, model] = [await stack.client.upload('video', clip), await stack.client.upload('model', network)];
  const spec = { input: { video }, model, output: { keepFrames: true }, batch: { pack: 20 } };
  const job = await stack.client.start(spec);
  await stack.ended(job);
  const [killed, whole] = [path.join(stack.folder, 'killed'), path.join(stack.folder, 'whole')];
  const frames = (out: string) => ['frames', job, '--source', '--out', out, '--url', stack.url];
  let kill: (signal: NodeJS.Signals) => void = () => undefined;
  const first = runCli(frames(killed), { onSpawn: (send) => (kill = send) });
  const hasBegun = () => existsSync(killed) && readdirSync(killed).some((name) => name.endsWith('.png'));
  await until('the first file', () => hasBegun() || undefined, 2);
  kill('SIGKILL');
  await first;

  const { stdout } = await runCli(frames(killed));
  expect(stdout).toContain(`${FRAMES} frames of job ${job} are in ${killed}, `);
  await runCli(frames(whole));
  expect(readdirSync(killed)).toEqual(readdirSync(whole));
  for (const name of readdirSync(whole))
    expect(readFileSync(path.join(killed, name)).equals(readFileSync(path.join(whole, name))), name).toBe(true);
});
