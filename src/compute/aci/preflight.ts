import type { Capabilities } from '@azure/arm-containerinstance';
import { counted, JobError } from '../../job/failure.js';
import { MOST_PARALLEL } from '../../job/plan.js';
import { ifAllowed } from '../azure/arm.js';
import { fitParallel, type Room } from '../azure/capacity.js';
import { checkImageFor } from '../azure/image.js';
import { checkRights, type Need, toAssign } from '../azure/rights.js';
import type { Memory, Preflight, PreflightRequest } from '../provider.js';
import { type GpuOffer, gpuOfferOf, largestOf, type Size, sizeWith, skusOf } from './capabilities.js';
import { GPU_RETIRED } from './codes.js';
import type { Groups } from './groups.js';
import { type AciSettings, MOST_MEMORY_GB } from './settings.js';

/**
 * Checks room, image and rights before a job starts.
 * @throws JobError `user` when the job could not run: no room ever, no image, a right is missing, or it
 * requires a GPU and there is none.
 */
export async function preflightAci(groups: Groups, request: PreflightRequest): Promise<Preflight> {
  const { login } = groups;
  const { memoryGb = groups.settings.memoryGb, region } = request;
  const settings = { ...groups.settings, memoryGb, regions: regionsFor(groups.settings, region) };
  const [preflight] = await Promise.all([
    checkCapacity({ ...groups, settings }, request),
    checkRights(settings.endpoint, login, needsOf(settings)),
  ]);
  const warning = await checkOwnImage(settings, preflight);
  // With a GPU it depends on the region.
  const size = preflight.gpu === true ? {} : { size: { cpus: settings.cpu, memoryGib: memoryGb } };
  return { ...preflight, ...size, warnings: [...preflight.warnings, ...(warning === undefined ? [] : [warning])] };
}

/** @throws JobError `user` for a region that the app may not use. */
function regionsFor({ regions }: AciSettings, asked: string | undefined): string[] {
  if (asked === undefined) return regions;
  if (regions.includes(asked)) return [asked];
  throw new JobError(
    'user',
    `This app runs no containers in the region "${asked}"; name one of ACI_REGIONS (${regions.join(', ')}), or add it there.`,
  );
}

/** Asks for the image that the job's containers will have. */
const checkOwnImage = (settings: AciSettings, { gpu }: Preflight) =>
  gpu === true && settings.gpuImage !== undefined
    ? checkImageFor(settings, settings.gpuImage, 'ACI_GPU_IMAGE')
    : checkImageFor(settings, settings.image, 'ACI_IMAGE');

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

/** Asks every region for its quotas, sizes and creates: how many containers fit beside what runs already. */
async function checkCapacity(groups: Groups, request: PreflightRequest): Promise<Preflight> {
  const { client, settings } = groups;
  const { regions } = settings;
  const told = await Promise.all(regions.map((region) => ifAllowed(skusOf(client, region))));
  const skus = told.map((region) => region ?? []);
  if (request.gpu === undefined || request.gpu === 'none') return checkCpu(groups, skus, request, []);
  const found = told.includes(undefined) ? MAY_NOT_ASK : await findGpus(groups, skus, request);
  if (typeof found !== 'string') return found;
  if (request.gpu === 'require')
    throw new JobError('user', `There is no GPU for this job: ${found}.`, { noRoom: true });
  return checkCpu(groups, skus, request, [`There is no GPU for this job, so it runs on CPU: ${found}.`]);
}

const MAY_NOT_ASK =
  "the app's identity may not ask the regions of ACI_REGIONS what they have; grant it the right " +
  `Microsoft.ContainerInstance/locations/capabilities/read on the subscription. ${GPU_RETIRED}`;

/** @throws JobError `user` when no region can ever hold a container of this size. */
async function checkCpu(
  groups: Groups,
  skus: Capabilities[][],
  { maxParallel, region: asked }: PreflightRequest,
  warnings: string[],
): Promise<Preflight> {
  const { settings } = groups;
  const cores = settings.spot ? /^StandardSpotCores$/ : /^StandardCores$/;
  const rooms = await Promise.all(
    settings.regions.map(async (region, index): Promise<Room> => {
      const largest = largestOf(skus[index] ?? []);
      if (settings.cpu <= largest.cpu && settings.memoryGb <= largest.memoryGb)
        return roomIn(groups, region, cores, settings.cpu);
      const why = `${region} takes ${counted(largest.cpu, 'core')} and ${largest.memoryGb} GB at most`;
      return { ever: 0, free: 0, why };
    }),
  );
  if (rooms.every(({ ever }) => ever === 0)) {
    throw new JobError(
      'user',
      `${asked === undefined ? 'No region of ACI_REGIONS can' : `The region ${asked} cannot`} hold a container of ${counted(settings.cpu, 'core')} and ${settings.memoryGb} GB: ${whyOf(rooms)}. Lower ACI_CPU or ACI_MEMORY_GB ("compute.memoryGb"), name another region or ask Azure for a higher quota.`,
      { noRoom: true },
    );
  }
  const fit = fitAll(maxParallel, rooms);
  return { ...fit, memory: memoryFor(settings.memoryGb, skus), warnings: [...warnings, ...fit.warnings] };
}

/** The memory of a container, and twice as much as far as all regions have it that have the first. */
function memoryFor(gb: number, skus: Capabilities[][]): Memory {
  const largest = skus.map((region) => largestOf(region).memoryGb).filter((most) => most >= gb);
  const moreGb = Math.min(2 * gb, MOST_MEMORY_GB, ...largest);
  return { gb, ...(moreGb > gb && { moreGb }) };
}

/** Azure itself gives up a container group that has not started after 30 minutes; one with a GPU needed 8 to 20. */
const GPU_PROVISION_SECONDS = 1800;

/**
 * The GPUs of the regions, by what the regions say of themselves: Azure retired them all on 2025-07-14, and may bring some back.
 * @returns the preflight of a job that runs on them, or why it cannot.
 */
async function findGpus(
  groups: Groups,
  skus: Capabilities[][],
  { maxParallel, region: asked }: PreflightRequest,
): Promise<Preflight | string> {
  const { settings } = groups;
  const { regions, gpuImage, gpuCount, spot, subnetId } = settings;
  const offers = regions.flatMap((region, index) => gpuOfferOf(skus[index] ?? [], region, gpuCount) ?? []);
  if (offers.length === 0) {
    const what = gpuCount === 1 ? 'GPU' : `containers of ${gpuCount} GPUs`;
    return asked === undefined
      ? `no region of ACI_REGIONS (${regions.join(', ')}) has ${gpuCount === 1 ? 'a ' : ''}${what}. ${GPU_RETIRED}`
      : `the region ${asked} has no ${what}. ${GPU_RETIRED}`;
  }
  const names = offers.map(({ sku, region }) => `${sku} in ${region}`).join(', ');
  if (gpuImage === undefined) return `Azure lists ${names}; set ACI_GPU_IMAGE to an image with CUDA to use it`;
  if (spot) return `Azure lists ${names}, but gives none to Spot containers; unset ACI_SPOT`;
  if (subnetId !== undefined) return `Azure lists ${names}, but gives none in a subnet; unset ACI_SUBNET_ID`;
  const rooms = await Promise.all(
    offers.map((offer) =>
      roomIn(groups, offer.region, new RegExp(`^(Standard)?${offer.sku}Cores$`, 'i'), sizeWith(offer, settings).cpu),
    ),
  );
  if (rooms.every(({ ever }) => ever === 0))
    return `Azure lists ${names}, and the quotas allow none (${whyOf(rooms)}); ask Azure for more. ${GPU_RETIRED}`;
  const fit = fitAll(maxParallel, rooms);
  return {
    maxParallel: fit.maxParallel,
    warnings: [...offers.flatMap((offer) => lessThanAsked(offer, settings)), ...fit.warnings],
    gpu: true,
    memory: { gb: settings.memoryGb },
    provisionSeconds: GPU_PROVISION_SECONDS,
  };
}

/** What the container gets less of than the settings say, since Azure gives no more with these GPUs. */
function lessThanAsked(offer: GpuOffer, asked: Size): string[] {
  const { cpu, memoryGb } = sizeWith(offer, asked);
  if (cpu === asked.cpu && memoryGb === asked.memoryGb) return [];
  const given = `${counted(cpu, 'core')} and ${memoryGb} GB`;
  return [
    `A container with ${counted(offer.count, 'GPU')} of the kind ${offer.sku} in ${offer.region} gets ${given} instead of ${counted(asked.cpu, 'core')} and ${asked.memoryGb} GB, the most that Azure gives with it.`,
  ];
}

const whyOf = (rooms: Room[]) => rooms.map(({ why }) => why).join('; ');

const fitAll = (maxParallel: number | undefined, rooms: Room[]) =>
  fitParallel(
    maxParallel,
    rooms.reduce((sum, { free }) => sum + free, 0),
    whyOf(rooms),
  );

/**
 * How many containers the region allows: ever, and beside what runs now.
 * @param cores the name of the quota that the containers' cores count against.
 * @param cpu cores of one container.
 */
async function roomIn({ client, budget }: Groups, region: string, cores: RegExp, cpu: number): Promise<Room> {
  const quotas = (await ifAllowed(quotasOf(client, region, cores, cpu))) ?? [];
  const creates = await budget.look(region);
  const least = (values: number[]) => Math.max(0, Math.floor(Math.min(MOST_PARALLEL, ...values)));
  const places = least(quotas.map(({ limit, used, unit }) => (limit - used) / unit));
  const numbers = quotas.map(({ name, limit, used }) => `${name}: ${used} of ${limit} in use`);
  if (creates.left < places) numbers.push(`creates of ${region}: ${creates.left} left now`);
  return {
    ever: least(quotas.map(({ limit, unit }) => limit / unit)),
    free: Math.min(places, creates.left),
    why: numbers.join(', '),
  };
}

interface Quota {
  name: string;
  limit: number;
  used: number;
  /** How much of it one container takes. */
  unit: number;
}

async function quotasOf(client: Groups['client'], region: string, cores: RegExp, cpu: number): Promise<Quota[]> {
  const quotas: Quota[] = [];
  for await (const { name, limit, currentValue } of client.location.listUsage(region)) {
    const unit = name?.value === 'ContainerGroups' ? 1 : cores.test(name?.value ?? '') ? cpu : undefined;
    if (unit !== undefined && limit !== undefined)
      quotas.push({ name: `${name?.value} of ${region}`, limit, used: currentValue ?? 0, unit });
  }
  return quotas;
}
