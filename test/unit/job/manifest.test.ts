import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import * as z from 'zod';
import { addUp, manifestSchema, nameFailed } from '../../../src/job/manifest.js';
import { checkManifest, MANIFEST_SCHEMA } from '../../support/manifest.js';

it('docs/manifest.schema.json is what manifests are like (vitest -u brings it up to date)', async () => {
  const schema = { ...z.toJSONSchema(manifestSchema), title: 'Manifest of a job of durable-batch-scoring' };
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(MANIFEST_SCHEMA);
});

const hash = 'a'.repeat(64);
const counts = { done: 7, failed: 1, givenUp: 2, neverReached: 0 };
const at = '2026-11-26T23:00:00.000Z';
const FULL = {
  version: 1,
  jobId: 'coast-k3v9q2xa',
  run: 2,
  cancelled: { by: 'request', at },
  earlierRuns: [
    { run: 1, outcome: 'failed', message: 'x', finishedAt: at, totals: { done: 3 }, manifest: 'runs/1/manifest.json' },
  ],
  outcome: 'failed',
  message: 'Too many.',
  blame: 'user',
  createdAt: at,
  finishedAt: at,
  startedBy: 'inbox/coast.mp4',
  asked: { model: 'm', input: {} },
  resolved: {
    spec: { model: 'm' },
    card: {},
    sha256: { model: hash, card: hash },
    output: 'outbox/a.mp4',
    parallel: 2,
    pack: 1,
    createdAt: at,
    video: {},
  },
  items: 10,
  totals: { ...counts, attempts: 3 },
  containerSeconds: 12.5,
  cost: { usd: 0.0007, pricesAsOf: '2026-08-02' },
  scorings: { all: 9, wasted: 2 },
  containerTime: { sentence: 'All.', percent: { inference: 100 }, seconds: { inference: 9 } },
  phases: { queued: { mean: 1, longest: 2 } },
  comparison: { problems: [] },
  warnings: ['odd'],
  outputs: {
    files: [{ path: 'outbox/a.mp4', bytes: 9, sha256: hash }],
    folder: { path: 'outbox/a/', files: 3, bytes: 99, list: 'output-files.jsonl' },
  },
  failedItems: [
    { name: '0000003', reason: 'cut off', blame: 'item', batch: 0, attempt: 1, frame: 3, time: 0.12 },
    {
      name: '0000004',
      reason: 'killed',
      blame: 'attempt',
      batch: 0,
      attempt: 3,
      frame: 4,
      filledWith: 'previous',
      filledFrom: 2,
    },
  ],
  batches: [
    {
      batch: 0,
      first: 0,
      count: 10,
      ...counts,
      runs: 3,
      attempts: [
        {
          attempt: 1,
          container: 'coast-k3v9q2xa-b00000-a1',
          compute: 'aci',
          place: { region: 'westeurope', cpus: 2, memoryGib: 4, gpus: 0 },
          end: 'failed',
          blame: 'attempt',
          message: 'killed',
          watchEnd: 'ended',
          exitCode: 137,
          scored: 4,
          skipped: 0,
          failed: 1,
          containerSeconds: 4.2,
          phases: { launched: at, ended: { queued: at }, seconds: { queued: 1 }, endedAt: at, split: { place: 1 } },
        },
      ],
    },
  ],
};

describe('a manifest', () => {
  test('with all that there can be passes the published schema', () => {
    expect(checkManifest(JSON.stringify(FULL)).totals.done).toBe(7);
  });

  test.each<[what: string, part: object]>([
    ['of another version', { version: 2 }],
    ['without an outcome', { outcome: undefined }],
    ['that ended in an unknown way', { outcome: 'odd' }],
    ['with a property that nobody knows', { odd: 1 }],
    ['with half an item', { items: 0.5 }],
    ['with a sum that is none', { resolved: { ...FULL.resolved, sha256: { model: 'abc' } } }],
    ['with a failed item without its reason', { failedItems: [{ ...FULL.failedItems[0], reason: undefined }] }],
    ['that names too many failed items', { failedItems: Array.from({ length: 1001 }, () => FULL.failedItems[0]) }],
    ['with a batch without its counts', { batches: [{ ...FULL.batches[0], done: undefined }] }],
  ])('%s does not', (_, part) => {
    const wrong = JSON.parse(JSON.stringify({ ...FULL, ...part })) as unknown;
    const published = z.fromJSONSchema(
      JSON.parse(readFileSync(MANIFEST_SCHEMA, 'utf8')) as Parameters<typeof z.fromJSONSchema>[0],
    );
    expect(published.safeParse(wrong).success).toBe(false);
    expect(manifestSchema.safeParse(wrong).success).toBe(false);
  });

  test('has counts that add up, or is not made', () => {
    const batch = (index: number, more: object = {}) => ({ batch: index, count: 10, ...counts, ...more });
    expect(addUp(20, [batch(0), batch(1)])).toEqual({ done: 14, failed: 2, givenUp: 4, neverReached: 0 });
    expect(addUp(20, [])).toEqual({ done: 0, failed: 0, givenUp: 0, neverReached: 20 });
    expect(() => addUp(20, [batch(0), batch(1, { done: 6 })])).toThrow('Batch 1 accounts for 9 of its 10 items.');
    expect(() => addUp(30, [batch(0), batch(1)])).toThrow('The batches account for 20 of 30 items.');
  });
});

test('failed items are named with their reasons, the first three, each reason once, and not at any length', () => {
  const failed = ['a.png', 'b.png', 'c.png', 'd.png', 'x'.repeat(1000)].map((name) => ({
    name,
    reason: `${name} broken`,
  }));
  expect(nameFailed(failed.slice(0, 1), 1)).toBe('a.png: a.png broken');
  expect(nameFailed(failed, 5000)).toBe(
    'a.png: a.png broken; b.png: b.png broken; c.png: c.png broken; 4997 more in failed-items.jsonl',
  );
  const left = ['1', '2', '3', '4'].map((name) => ({ name, reason: 'the scorer was killed' }));
  expect(nameFailed(left, 4)).toBe('1, 2, 3: the scorer was killed; 1 more in failed-items.jsonl');
  const long = failed.slice(4).map(({ name }) => ({ name, reason: name }));
  expect(nameFailed(long, 1).length).toBeLessThan(600);
});

test('a failed item whose name looks like a secret is named without it', () => {
  const failed = [{ name: 'sig=c2VjcmV0&x.png', reason: 'sig=c2VjcmV0&x.png is empty' }];
  expect(nameFailed(failed, 1)).not.toContain('c2VjcmV0');
  expect(nameFailed(failed, 1)).toContain('is empty');
});
