import { z } from 'zod';
import { COMPUTE_KINDS, type ComputeKind } from '../compute-choice.js';

const usd = z.number('must be a price in USD').min(0).max(1000);

const schema = z.strictObject({
  /** Day on which the prices were looked up. */
  asOf: z.iso.date('must be a day as in 2026-09-06'),
  /** Region of Azure that they are of. */
  region: z.string().max(60),
  /** Where they come from. */
  source: z.string().max(200),
  /** USD an hour of a vCPU core and of a GB of memory in Azure Container Instances. */
  aci: z.strictObject({ core: usd, gb: usd }),
  /** The same in Azure Container Apps (Consumption, while active), and of a GPU, whose container has its whole profile. */
  containerApps: z.strictObject({ core: usd, gb: usd, t4: usd, a100: usd }),
});

/** What containers cost, in USD an hour, pay-as-you-go, without free grants. */
export type PriceTable = z.output<typeof schema>;

/**
 * Looked up for this version; the setting PRICES replaces the table. The meters are those of https://prices.azure.com/api/retail/prices:
 * serviceName "Container Instances" and "Azure Container Apps".
 */
export const PRICES: PriceTable = {
  asOf: '2026-08-02',
  region: 'eastus',
  source: 'Azure Retail Prices API, as quoted by others: looked up from 2026-08-02 to 2026-09-06',
  aci: { core: 0.0405, gb: 0.00445 },
  containerApps: { core: 0.0864, gb: 0.0108, t4: 0.26, a100: 1.9 },
};

/** Prices from the text of a setting. @returns what is wrong with it, as the end of a sentence. */
export function parsePrices(text: string): PriceTable | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return `must be JSON, as in ${JSON.stringify(PRICES)}`;
  }
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const at = issue?.path.join('.') ?? '';
  return `has a wrong table of prices: ${at === '' ? '' : `"${at}" `}${issue?.message ?? 'is wrong'}`;
}

/** A container as its price sees it, as far as its size is known. */
export interface Shape {
  compute?: ComputeKind | undefined;
  cpus?: number | undefined;
  memoryGib?: number | undefined;
  gpus?: number | undefined;
}

/** Cores of the profile with an A100; that with a T4 has 8. */
const A100_CORES = 24;

/** USD an hour of a container; 0 on the app's own machine, undefined where no price is known. */
export function hourly(
  { aci, containerApps }: PriceTable,
  { compute, cpus, memoryGib, gpus = 0 }: Shape,
): number | undefined {
  if (compute === 'local') return 0;
  if (compute === undefined || cpus === undefined || memoryGib === undefined) return undefined;
  if (compute === 'container-apps') {
    const gpu = cpus >= A100_CORES ? containerApps.a100 : containerApps.t4;
    return cpus * containerApps.core + memoryGib * containerApps.gb + gpus * gpu;
  }
  // Azure has no price for a GPU there any more.
  return gpus > 0 ? undefined : cpus * aci.core + memoryGib * aci.gb;
}

/** Shapes of containers by texts that can be kept. */
export const writeShape = ({
  compute,
  cpus,
  memoryGib,
  gpus = 0,
}: Omit<Shape, 'compute'> & { compute?: string | undefined }): string =>
  [compute ?? '', cpus ?? '', memoryGib ?? '', gpus].join(' ');

function readShape(text: string): Shape {
  const [compute = '', ...sizes] = text.split(' ');
  const [cpus, memoryGib, gpus] = sizes.map((size) => (size === '' ? undefined : Number(size)));
  return { compute: COMPUTE_KINDS.find((kind) => kind === compute), cpus, memoryGib, gpus };
}

/** Seconds of containers by their shapes, as `writeShape` writes them. */
export type ShapeSeconds = Record<string, number>;

/** What containers have cost, in USD; undefined where no price is known for one of them. */
export function costOf(prices: PriceTable, seconds: ShapeSeconds): number | undefined {
  let sum = 0;
  for (const [shape, each] of Object.entries(seconds)) {
    const price = hourly(prices, readShape(shape));
    if (price === undefined) return undefined;
    sum += (price * each) / 3600;
  }
  return sum;
}

export function addShapes(parts: ShapeSeconds[]): ShapeSeconds {
  const sums: ShapeSeconds = {};
  for (const part of parts)
    for (const [shape, seconds] of Object.entries(part))
      // What never had a place has no price to be known.
      if (seconds > 0) sums[shape] = (sums[shape] ?? 0) + seconds;
  return sums;
}

const OLD_DAYS = 180;

/** Warns of prices that are older than half a year. @param now milliseconds since the epoch. */
export function agedPrices({ asOf }: Pick<PriceTable, 'asOf'>, now: number): string | undefined {
  const days = Math.floor((now - Date.parse(asOf)) / 86_400_000);
  return days > OLD_DAYS
    ? `The prices are ${days} days old (${asOf}); look them up again and set them with the setting PRICES.`
    : undefined;
}
