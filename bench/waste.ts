/**
 * How many items are scored for each item of a job when 5 % of its batches are killed half-way. The job is real, and so are the kills: each
 * struck scorer gets a SIGKILL when half of its batch is stored. Beside it what the same kills cost who scores the whole batch again, or
 * the whole job; these two are computed. Run it with `npm run bench:waste`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseScoredPart } from '../src/container-contract/places.js';
import { jobOf, MANIFEST } from '../src/job-store/layout.js';
import { poll } from '../src/poll.js';
import { readText } from '../src/storage/storage.js';
import { randomOf } from '../test/support/chaos/faults.js';
import { makeClip } from '../test/support/clip.js';
import { scorersOf } from '../test/support/killed-scorer.js';
import { checkManifest } from '../test/support/manifest.js';
import { killNow } from '../test/support/processes.js';
import { startRestartableStack } from '../test/support/restartable-stack.js';
import { tinyModel } from '../test/support/scorer/tiny-model.js';

const BATCHES = Number(process.env.BATCHES ?? 60);
const BATCH = 40;
const PACK = 4;
const LANES = 2;
const KILLED_SHARE = 0.05;
const ITEMS = BATCHES * BATCH;

/** The batches whose first scorer is killed half-way. */
function killedBatches(): Set<number> {
  const random = randomOf('waste');
  const killed = new Set<number>();
  while (killed.size < Math.round(BATCHES * KILLED_SHARE)) killed.add(Math.floor(random() * BATCHES));
  return killed;
}

/** Items that are scored when each kill makes the whole job begin again: lanes take the batches in order, each item takes as long. */
function scoredByWholeJobs(killed: ReadonlySet<number>): number {
  const left = new Set(killed);
  for (let scored = 0; ;) {
    const lanes = Array.from({ length: LANES }, () => 0);
    let death: { batch: number; at: number } | undefined;
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const lane = lanes.indexOf(Math.min(...lanes));
      const from = lanes[lane] ?? 0;
      lanes[lane] = from + BATCH;
      const at = from + BATCH / 2;
      if (left.has(batch) && at < (death?.at ?? Infinity)) death = { batch, at };
    }
    if (!death) return scored + ITEMS;
    scored += Math.min(ITEMS, death.at * LANES);
    left.delete(death.batch);
  }
}

async function scoredByUs(killed: ReadonlySet<number>): Promise<{ all: number; kills: number }> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-waste-'));
  const stack = await startRestartableStack({ folder, seed: 1, env: process.env });
  try {
    const file = path.join(folder, 'copy.onnx');
    writeFileSync(file, tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] }));
    const clip = makeClip(path.join(folder, 'clip.mp4'), { size: '64x36', rate: '100', seconds: ITEMS / 100 });
    const left = new Set(killed);
    let id = '';
    stack.proxy.tell = (request) => {
      const name = /^PUT \/\w+\/work-[^/]+\/(scored\/[^?]+)/.exec(request)?.[1];
      const part = name === undefined ? undefined : parseScoredPart(name);
      const batch = Math.floor((part?.last ?? 0) / BATCH);
      if (!part || !left.has(batch) || (part.last % BATCH) + 1 < BATCH / 2) return;
      left.delete(batch);
      scorersOf(id, batch, 1).forEach(killNow);
    };
    id = await stack.client.start({
      input: { video: await stack.client.upload('video', clip) },
      model: await stack.client.upload('model', file),
      batch: { size: BATCH, maxParallel: LANES, pack: PACK },
      retry: { firstDelaySeconds: 0 },
    });
    const end = async () => {
      const { state, error } = await stack.client.status(id);
      if (state === 'failed') throw new Error(error?.message);
      return state === 'done' ? true : undefined;
    };
    await poll(end, { pauseMs: 1000 });
    const { items, scorings } = checkManifest((await readText(jobOf(stack.storage, id), MANIFEST)) ?? '');
    if (items !== ITEMS) throw new Error(`The video has ${items} frames, not ${ITEMS}.`);
    return { all: scorings.all, kills: killed.size - left.size };
  } finally {
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const killed = killedBatches();
const began = performance.now();
const ours = await scoredByUs(killed);
/** A killed scorer takes the items with it that it had scored and not stored, of which nobody knows: fewer than two packs. */
const most = ours.all + ours.kills * (2 * PACK - 1);
const ratio = (scored: number) => (scored / ITEMS).toFixed(3);
console.log(
  `${ITEMS} items in ${BATCHES} batches on ${LANES} lanes, packs of ${PACK}; ${ours.kills} of ${killed.size} kills struck; ${((performance.now() - began) / 1000).toFixed(0)} s.`,
);
console.table([
  {
    'after a kill': 'score what is missing (measured)',
    'items scored': `${ours.all} to ${most}`,
    'for each item': `${ratio(ours.all)} to ${ratio(most)}`,
  },
  {
    'after a kill': 'score the whole batch (computed)',
    'items scored': ITEMS + (killed.size * BATCH) / 2,
    'for each item': ratio(ITEMS + (killed.size * BATCH) / 2),
  },
  {
    'after a kill': 'score the whole job (computed)',
    'items scored': scoredByWholeJobs(killed),
    'for each item': ratio(scoredByWholeJobs(killed)),
  },
]);
