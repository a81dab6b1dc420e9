import type { Capabilities, ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import { counted, JobError } from '../../job/failure.js';
import { MOST_PARALLEL } from '../../job/plan.js';
import { fitParallel, type Room } from '../azure/capacity.js';
import { checkImageFor } from '../azure/image.js';
import { checkRights, type Need, toAssign } from '../azure/rights.js';
import type { Preflight, PreflightRequest } from '../provider.js';
import { GPU_RETIRED } from './codes.js';
import type { Allowance } from './create-ledger.js';
import type { Groups } from './groups.js';
import type { AciSettings } from './settings.js';

/**
 * Checks room, image and rights before a job starts.
 * @throws JobError `user` when the job could not run: no room ever, no image, a right is missing, or it requires a GPU.
 */
export async function preflightAci(groups: Groups, request: PreflightRequest): Promise<Preflight> {
  const { settings, login } = groups;
  const [{ maxParallel, warnings }, warning] = await Promise.all([
    checkCapacity(groups, request),
    checkImageFor(settings, settings.image, 'ACI_IMAGE'),
    checkRights(settings.endpoint, login, needsOf(settings)),
  ]);
  return { maxParallel, warnings: warning === undefined ? warnings : [...warnings, warning] };
}

const GROUP = 'Microsoft.ContainerInstance/containerGroups';

/** What the app's own identity has to be allowed to do. */
function needsOf({ subscriptionId, resourceGroup, subnetId, identityId }: AciSettings): Need[] {
  const needs: Need[] = [
    {
      scope: `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`,
      actions: [`${GROUP}/read`, `${GROUP}/write`, `${GROUP}/delete`, `${GROUP}/containers/logs/read`],
      remedy: 'grant it Contributor there',
    },
  ];
  if (subnetId !== undefined)
    needs.push({
      scope: subnetId,
      actions: ['Microsoft.Network/virtualNetworks/subnets/join/action'],
      remedy: 'grant it Network Contributor there, or correct ACI_SUBNET_ID',
    });
  if (identityId !== undefined) needs.push(toAssign(identityId, 'ACI_IDENTITY_ID'));
  return needs;
}

/** What one region has of a quota. */
interface Quota {
  name: string;
  limit: number;
  used: number;
}

/** The largest container that a region takes; infinite for a region that does not say. */
interface Largest {
  cpu: number;
  memoryGb: number;
}

/** Asks every region for its quotas, sizes and creates: how many containers fit beside what runs already. */
async function checkCapacity(
  { client, settings, budget }: Groups,
  { maxParallel, gpu }: PreflightRequest,
): Promise<Preflight> {
  const skus = await Promise.all(settings.regions.map((region) => skusOf(client, region)));
  const gpuWarnings = checkGpu(skus.flat(), settings, gpu);
  const rooms = await Promise.all(
    settings.regions.map(async (region, index) => {
      const [quotas, creates] = await Promise.all([quotasOf(client, settings, region), budget.look(region)]);
      return roomIn(quotas, largestOf(skus[index] ?? []), creates, settings, region);
    }),
  );
  const why = rooms.map((room) => room.why).join('; ');
  if (rooms.every(({ ever }) => ever === 0)) {
    throw new JobError(
      'user',
      `No region of ACI_REGIONS can hold a container of ${counted(settings.cpu, 'core')} and ${settings.memoryGb} GB: ${why}. Lower ACI_CPU or ACI_MEMORY_GB, name another region or ask Azure for a higher quota.`,
    );
  }
  const fit = fitParallel(
    maxParallel,
    rooms.reduce((sum, { free }) => sum + free, 0),
    why,
  );
  return { ...fit, warnings: [...gpuWarnings, ...fit.warnings] };
}

async function quotasOf(client: ContainerInstanceManagementClient, { spot }: AciSettings, region: string) {
  const cores = spot ? 'StandardSpotCores' : 'StandardCores';
  const quotas: Quota[] = [];
  for await (const { name, limit, currentValue } of client.location.listUsage(region)) {
    if ((name?.value === 'ContainerGroups' || name?.value === cores) && limit !== undefined)
      quotas.push({ name: `${name.value} of ${region}`, limit, used: currentValue ?? 0 });
  }
  return quotas;
}

/** The containers that the region says it takes, with and without GPU. */
async function skusOf(client: ContainerInstanceManagementClient, region: string): Promise<Capabilities[]> {
  const skus: Capabilities[] = [];
  for await (const sku of client.location.listCapabilities(region)) skus.push({ ...sku, location: region });
  return skus;
}

const hasGpu = ({ gpu }: Capabilities) => gpu !== undefined && gpu !== '' && gpu !== 'None';

function largestOf(skus: Capabilities[]): Largest {
  const fit = skus.filter((sku) => !hasGpu(sku) && sku.osType !== 'Windows').map((sku) => sku.capabilities);
  const largest = (values: (number | undefined)[]) => Math.max(...values.map((value) => value ?? Infinity));
  return fit.length === 0
    ? { cpu: Infinity, memoryGb: Infinity }
    : { cpu: largest(fit.map((each) => each?.maxCpu)), memoryGb: largest(fit.map((each) => each?.maxMemoryInGB)) };
}

/** How many containers of this size one region allows: ever, and beside what runs now. */
function roomIn(
  quotas: Quota[],
  largest: Largest,
  creates: Allowance,
  { cpu, memoryGb }: AciSettings,
  region: string,
): Room {
  if (cpu > largest.cpu || memoryGb > largest.memoryGb)
    return {
      ever: 0,
      free: 0,
      why: `${region} takes ${counted(largest.cpu, 'core')} and ${largest.memoryGb} GB at most`,
    };
  const units = (quota: Quota) => (quota.name.startsWith('ContainerGroups') ? 1 : cpu);
  const least = (values: number[]) => Math.max(0, Math.floor(Math.min(MOST_PARALLEL, ...values)));
  const places = least(quotas.map((quota) => (quota.limit - quota.used) / units(quota)));
  const numbers = quotas.map(({ name, limit, used }) => `${name}: ${used} of ${limit} in use`);
  if (creates.left < places) numbers.push(`creates of ${region}: ${creates.left} left now`);
  return {
    ever: least(quotas.map((quota) => quota.limit / units(quota))),
    free: Math.min(places, creates.left),
    why: numbers.join(', '),
  };
}

/**
 * The API still accepts V100, but no region has had one since 2025-07-14: the region's own capabilities decide.
 * @throws JobError `user` when a GPU is required and there is none that the scorer could use.
 */
function checkGpu(skus: Capabilities[], { regions }: AciSettings, gpu: PreflightRequest['gpu']): string[] {
  if (gpu === undefined || gpu === 'none') return [];
  const found = skus
    .filter((sku) => hasGpu(sku) && (sku.capabilities?.maxGpuCount ?? 0) > 0)
    .map((sku) => `${sku.gpu} in ${sku.location}`);
  const what =
    found.length > 0
      ? `Azure lists ${found.join(', ')}, which the scorer's image for container groups cannot use`
      : `No region of ACI_REGIONS (${regions.join(', ')}) has a GPU`;
  if (gpu === 'require') throw new JobError('user', `${what}. ${GPU_RETIRED}.`);
  return [`${what}, so the job runs on CPU. Azure Container Instances retired GPU on 2025-07-14.`];
}
