import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { JobStatus } from '../../../src/api/jobs.js';
import { lookPause } from '../../../src/cli/score/run-job.js';
import { pauseAtAge } from '../../../src/job/progress.js';
import { poll } from '../../../src/poll.js';
import { makeClip } from '../../support/clip.js';
import { useFaultyStack } from '../../support/faulty-stack.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';

/** `REQUESTS_OF=samples/coast.mp4` counts for that video, scored by a model of the project's own, and prints the table. */
const video = process.env.REQUESTS_OF;
const BATCHES = 2;

const stack = useFaultyStack(1);

/** How many requests of each kind storage gets, without the names of jobs, batches, frames and uploads. */
const counts = new Map<string, number>();

function kindOf(request: string, id: string): string {
  const [method, target = ''] = request.split(' ');
  const { pathname, searchParams } = new URL(target, 'http://storage');
  const [, , container = '', ...names] = pathname.replaceAll(id, 'JOB').split('/');
  const name = names
    .join('/')
    .replaceAll(/\b\d{5,7}\b/g, 'N')
    .replaceAll(/\bb\d{5}(-a\d+)?/g, 'bN')
    .replaceAll(/^[a-z0-9]{8}\//g, 'UPLOAD/');
  const prefix = searchParams.get('prefix')?.replaceAll(/\d{4,}/g, 'N');
  const what = prefix === undefined ? (searchParams.get('comp') ?? searchParams.get('restype')) : `list ${prefix}*`;
  return [method, [container, name].filter(Boolean).join('/'), what].filter(Boolean).join(' ');
}

/** What the host asks for: what its engine keeps of orchestrations, its lease, and its looks at queues. On Azure, the Functions host's. */
const ENGINE = /\$batch|batchscoring|inbox-events/i;

const count = (...kinds: RegExp[]) =>
  [...counts].reduce((sum, [kind, times]) => (kinds.some((each) => each.test(kind)) ? sum + times : sum), 0);

async function run(): Promise<{ status: JobStatus; looks: number; seconds: number }> {
  let model = 'starry-night';
  if (video === undefined) {
    const file = path.join(stack.folder, 'copy.onnx');
    writeFileSync(file, tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] }));
    model = await stack.client.upload('model', file);
  }
  const clip = video ?? makeClip(path.join(stack.folder, 'clip.mp4'), { size: '64x48', rate: '30', seconds: 8 });
  const input = { video: await stack.client.upload('video', clip) };
  const requests: string[] = [];
  stack.proxy.tell = (request) => requests.push(request);
  const began = performance.now();
  const age = () => (performance.now() - began) / 1000;
  const id = await stack.client.start({ input, model, batch: { maxParallel: BATCHES } });
  let looks = 0;
  let pauseMs = 0;
  const look = async () => {
    looks += 1;
    const status = await stack.client.status(id);
    pauseMs = lookPause(status, age());
    return status.state === 'queued' || status.state === 'running' ? undefined : status;
  };
  const status = await poll(look, { pauseMs: () => pauseMs });
  for (const kind of requests.map((request) => kindOf(request, id))) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return { status, looks, seconds: age() };
}

/** How many reports or looks there are at most in so much time. */
function pausesIn(seconds: number): number {
  let reports = 1;
  for (let age = 0; age < seconds; age += pauseAtAge(age)) reports += 1;
  return reports;
}

test(
  'what a job asks of storage because time passes is little, and grows slowly with its time',
  { timeout: 400_000 },
  async () => {
    const { status, looks, seconds } = await run();
    if (video !== undefined) {
      const rows = [...counts].toSorted(([, one], [, other]) => other - one);
      const lines = rows.map(([kind, times]) => `${String(times).padStart(6)}  ${kind}`);
      const own = count(/./) - count(ENGINE);
      const measured = `${status.items.total} items, ${seconds.toFixed(0)} s, ${looks} looks`;
      console.log(`${measured}, ${own} requests and ${count(ENGINE)} of the engine\n${lines.join('\n')}`);
    }
    expect(status).toMatchObject({ state: 'done' });
    // What a client's look brings serves the watches over the batches, too; without any, they look every ten seconds.
    expect(count(/list now\/\*/)).toBeLessThanOrEqual(looks + seconds / 10 + 2);
    expect(count(/GET .*progress\/bN/)).toBe(0);
    expect(count(/list now\/[a-z]/, /list (settled|progress|waiting|stages)/)).toBeLessThanOrEqual(4);
    // One by the process every five seconds without any look; one by each launch and each end of a batch; and those of the end.
    expect(count(/stop\.json/)).toBeLessThanOrEqual(seconds / 5 + 2 * status.batches.total + 6);
    expect(count(/GET job-JOB\/job\.json/)).toBeLessThanOrEqual(3);
    expect(count(/PUT .*progress\/bN/)).toBeLessThanOrEqual(status.batches.total * (seconds / 1.5 + 5));
    expect(count(/PUT .*stages\//)).toBeLessThanOrEqual(2 * pausesIn(seconds));
    // The watch over the job and each look at its status ask for its orchestration.
    expect(count(/GET BatchScoringInstances\(PartitionKey='JOB'/)).toBeLessThanOrEqual(
      looks + pausesIn(seconds) + seconds / 3 + 6,
    );
  },
);
