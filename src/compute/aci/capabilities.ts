import type { Capabilities, ContainerInstanceManagementClient } from '@azure/arm-containerinstance';

/** The container groups that a region says it takes, with and without GPU. */
export async function skusOf(client: ContainerInstanceManagementClient, region: string): Promise<Capabilities[]> {
  const skus: Capabilities[] = [];
  for await (const sku of client.location.listCapabilities(region)) skus.push({ ...sku, location: region });
  return skus;
}

/** Virtual CPU cores and memory (GB) of a container; infinite where a region names no limit. */
export interface Size {
  cpu: number;
  memoryGb: number;
}

const isLinux = ({ osType }: Capabilities) => osType !== 'Windows';
const hasGpu = ({ gpu }: Capabilities) => gpu !== undefined && gpu !== '' && gpu !== 'None';

/** The largest container without GPU. */
export function largestOf(skus: Capabilities[]): Size {
  const fit = skus.filter((sku) => !hasGpu(sku) && isLinux(sku)).map((sku) => sku.capabilities);
  const largest = (values: (number | undefined)[]) => Math.max(...values.map((value) => value ?? Infinity));
  return fit.length === 0
    ? { cpu: Infinity, memoryGb: Infinity }
    : { cpu: largest(fit.map((each) => each?.maxCpu)), memoryGb: largest(fit.map((each) => each?.maxMemoryInGB)) };
}

/** A kind of GPU that a region has, and the largest container that comes with so many of them. */
export interface GpuOffer {
  region: string;
  sku: string;
  count: number;
  largest: Size;
}

/** From the oldest to the newest; a kind that Azure may add later counts as newer still. */
const KNOWN = ['K80', 'P100', 'V100'];
const ageOf = (sku: string) => (KNOWN.includes(sku) ? KNOWN.indexOf(sku) : KNOWN.length);

/** Largest container for each GPU; Azure's page on GPU container groups, before their retirement on 2025-07-14. */
const CPU_PER_GPU = 6;
const MEMORY_GB_PER_GPU: Record<string, number> = { K80: 56, P100: 112, V100: 112 };

/** The newest kind of GPU of the region that comes `count` at a time; undefined where there is none. */
export function gpuOfferOf(skus: Capabilities[], region: string, count: number): GpuOffer | undefined {
  const offers = skus
    .filter((sku) => hasGpu(sku) && isLinux(sku) && (sku.capabilities?.maxGpuCount ?? 0) >= count)
    .map(({ gpu: sku = '', capabilities }) => ({
      region,
      sku,
      count,
      largest: {
        cpu: Math.min(CPU_PER_GPU * count, capabilities?.maxCpu ?? Infinity),
        memoryGb: Math.min((MEMORY_GB_PER_GPU[sku] ?? Infinity) * count, capabilities?.maxMemoryInGB ?? Infinity),
      },
    }));
  return offers.toSorted((one, other) => ageOf(other.sku) - ageOf(one.sku))[0];
}

/** The size of a container with these GPUs: as the settings say, and never more than Azure gives with them. */
export const sizeWith = ({ largest }: GpuOffer, { cpu, memoryGb }: Size): Size => ({
  cpu: Math.min(cpu, largest.cpu),
  memoryGb: Math.min(memoryGb, largest.memoryGb),
});
