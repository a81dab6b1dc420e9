import type { ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import { GPU_RETIRED } from '../../job/azure-errors.js';
import type { Allowance } from '../../job/create-budget.js';
import { JobError } from '../../job/failure.js';
import type { Preflight, PreflightRequest } from '../provider.js';
import type { Groups } from './groups.js';
import type { AciSettings } from './settings.js';

/** Containers at once when the job does not say, and the most that a job may have. */
const USUAL_PARALLEL = 10;
const MOST_PARALLEL = 100;

/** What one region has of a quota. */
interface Quota {
  name: string;
  limit: number;
  used: number;
}

/**
 * Asks every region for its quotas and creates: how many containers fit beside what runs already.
 * @throws JobError `user` when no region can ever hold one container, or a GPU is required.
 */
export async function checkCapacity(
  { client, settings, budget }: Groups,
  { maxParallel, gpu }: PreflightRequest,
): Promise<Preflight> {
  const warnings = await checkGpu(client, settings, gpu);
  const rooms = await Promise.all(
    settings.regions.map(async (region) => {
      const [quotas, creates] = await Promise.all([quotasOf(client, settings, region), budget.look(region)]);
      return room(quotas, creates, settings, region);
    }),
  );
  if (rooms.every(({ ever }) => ever === 0)) {
    throw new JobError(
      'user',
      `No region of ACI_REGIONS can hold a container of ${settings.cpu} cores: ${rooms.map(({ why }) => why).join('; ')}. Lower ACI_CPU, name another region or ask Azure for a higher quota.`,
    );
  }
  const now = rooms.reduce((sum, { free }) => sum + free, 0);
  const wanted = maxParallel ?? USUAL_PARALLEL;
  const allowed = Math.max(1, Math.min(wanted, now));
  if (allowed < (maxParallel ?? 1) || now === 0) {
    const numbers = rooms.map(({ why }) => why).join('; ');
    warnings.push(
      now === 0
        ? `Azure's quotas are used up at the moment (${numbers}), so batches wait and 1 container runs at once.`
        : `Azure's quotas leave room for ${now} containers (${numbers}), so ${allowed} instead of ${wanted} run at once.`,
    );
  }
  return { maxParallel: allowed, warnings };
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

/** How many containers of this size one region allows: ever, and beside what runs now. */
function room(quotas: Quota[], creates: Allowance, { cpu }: AciSettings, region: string) {
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
 * The API still takes the word V100, but no region has had one since 2025-07-14: the region's own capabilities decide.
 * @throws JobError `user` when a GPU is required and there is none that the scorer could use.
 */
async function checkGpu(
  client: ContainerInstanceManagementClient,
  { regions }: AciSettings,
  gpu: PreflightRequest['gpu'],
): Promise<string[]> {
  if (gpu === undefined || gpu === 'none') return [];
  const found: string[] = [];
  for (const region of regions) {
    for await (const { gpu: sku, capabilities } of client.location.listCapabilities(region)) {
      if (sku && sku !== 'None' && (capabilities?.maxGpuCount ?? 0) > 0) found.push(`${sku} in ${region}`);
    }
  }
  const what =
    found.length > 0
      ? `Azure lists ${found.join(', ')}, which the scorer's image for container groups cannot use`
      : `No region of ACI_REGIONS (${regions.join(', ')}) has a GPU`;
  if (gpu === 'require') throw new JobError('user', `${what}. ${GPU_RETIRED}.`);
  return [`${what}, so the job runs on CPU. Azure Container Instances retired GPU on 2025-07-14.`];
}
