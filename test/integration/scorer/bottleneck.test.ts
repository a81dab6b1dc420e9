import { expect, inject, it } from 'vitest';
import type { ScorerSplit } from '../../../src/job/attempts/bottleneck.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import type { ModelCard } from '../../../src/model-card/schema.js';
import { ScorerJob } from '../../support/scorer/harness.js';
import { cardFor } from '../../support/scorer/one-model.js';
import { paint } from '../../support/scorer/pictures.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';
import { startStorageProxy } from '../../support/storage-proxy.js';

const shape = ['b', 3, 'h', 'w'];
const quick = tinyModel({ operator: 'Identity', shape });
const heavy = tinyModel({
  operator: 'AveragePool',
  attributes: { kernel_shape: [41, 41], pads: [20, 20, 20, 20] },
  shape,
});
const card: ModelCard = cardFor({ optimize: 'off' }, shape);
const codec = createSharpCodec();
const NAMES = Array.from({ length: 3 }, (_, index) => `${index}.png`);

/** What most of the time of a scorer goes into once its program has started. */
async function bottleneck(
  model: Buffer,
  [width, height]: [number, number],
  storage = inject('storage'),
): Promise<string | undefined> {
  const job = await ScorerJob.create(storage, { model, card });
  const picture = await codec.encode(paint(width, height), 'png');
  await job.addInputs(Object.fromEntries(NAMES.map((name) => [name, picture])));
  const { result } = await job.score(NAMES);
  expect(result).toMatchObject({ outcome: 'completed', failed: [] });
  const { start: _, ...split } = result.split ?? ({} as ScorerSplit);
  return Object.entries(split).toSorted(([, one], [, other]) => other - one)[0]?.[0];
}

it('a heavy model makes inference the bottleneck', async () => {
  expect(await bottleneck(heavy, [200, 150])).toBe('inference');
});

it('a huge picture before a trivial model makes pictures the bottleneck', async () => {
  expect(await bottleneck(quick, [2400, 1800])).toBe('pictures');
});

it('slow storage makes itself the bottleneck', async () => {
  const proxy = await startStorageProxy(inject('storage'));
  proxy.latestMs = 400;
  proxy.strike('late', /^GET|^PUT .*scored/, Infinity);
  const largest = await bottleneck(quick, [40, 30], proxy.connectionString);
  await proxy.stop();
  expect(largest).toBe('storage');
});
