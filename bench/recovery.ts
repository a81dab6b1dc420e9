/**
 * How long a job stands still when the local host is killed: from the SIGKILL until the next item is stored, which the stack that is started
 * at once has scored. Run it with `npm run bench:recovery`; `KILLS=5` kills less often than twenty times.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startStack } from '../dist/stack/stack.js';
import { createJobClient } from '../src/cli/client/client.js';
import { workOf } from '../src/job-store/layout.js';
import { listBlobs } from '../src/storage/storage.js';
import { makeClip } from '../test/support/clip.js';
import { commandOf, killNow, processesWith } from '../test/support/processes.js';
import { openAzurite } from '../test/support/storage.js';
import { until } from '../test/support/wait.js';

const KILLS = Number(process.env.KILLS ?? 20);
const PACK = 4;
const BETWEEN_KILLS_MS = 1500;

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-recovery-'));
const env = { ...process.env, HOME: folder };
const start = () => startStack({ folder: path.join(folder, 'data'), env });
const pidsOf = (part: string) => processesWith(`HOME=${folder}\0`).filter((pid) => commandOf(pid).includes(part));

let stack = await start();
let id = '';

async function scoredParts(): Promise<number> {
  let count = 0;
  for await (const _ of listBlobs(workOf(openAzurite(stack.storage), id), { prefix: 'scored/' })) count += 1;
  return count;
}

const moreParts = async (than: number) => {
  const count = await scoredParts();
  return count > than ? count : undefined;
};

const rows: { 'host answers, s': number; 'scorer runs, s': number; 'next item stored, s': number }[] = [];
try {
  const client = createJobClient(stack.url, undefined);
  const clip = makeClip(path.join(folder, 'clip.mp4'), { size: '320x180', rate: '50', seconds: 3 * KILLS + 10 });
  id = await client.start({
    input: { video: await client.upload('video', clip) },
    model: 'starry-night',
    batch: { size: 50, maxParallel: 2, pack: PACK },
    retry: { firstDelaySeconds: 0 },
  });
  let parts = await until('the first item', () => moreParts(0), 120);
  for (let kill = 0; kill < KILLS; kill += 1) {
    await pause(BETWEEN_KILLS_MS);
    parts = await scoredParts();
    const at = performance.now();
    const since = () => Math.round(performance.now() - at) / 1000;
    const before = new Set(pidsOf('scorer/bundle/main'));
    pidsOf('stack/devhost/main').forEach(killNow);
    await stack.ended;
    await stack.stop();
    stack = await start();
    const answers = since();
    await until('a scorer', () => pidsOf('scorer/bundle/main').some((pid) => !before.has(pid)) || undefined, 10);
    const runs = since();
    parts = await until('the next item', () => moreParts(parts), 10);
    rows.push({ 'host answers, s': answers, 'scorer runs, s': runs, 'next item stored, s': since() });
  }
} finally {
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
}
console.table(rows);
const times = rows.map((row) => row['next item stored, s']).toSorted((one, other) => one - other);
console.log(
  `${times.length} kills: median ${times[Math.floor(times.length / 2)]?.toFixed(1)} s, worst ${times.at(-1)?.toFixed(1)} s.`,
);
