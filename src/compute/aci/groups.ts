import type { ContainerGroup, ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import type { TokenCredential } from '@azure/identity';
import { type Printed, Printout } from '../../container-contract/printout.js';
import { JobError } from '../../job/failure.js';
import { poll } from '../../poll.js';
import { orMissing } from '../azure/arm.js';
import { readAzureFault, retryAfterOf } from '../azure/fault.js';
import { classifyAzureFault } from '../azure/verdict.js';
import type { Launched, LaunchRequest } from '../provider.js';
import { type GpuOffer, gpuOfferOf, skusOf } from './capabilities.js';
import { ACI_ERRORS, GPU_RETIRED } from './codes.js';
import { type CreateBudget, readReport } from './create-budget.js';
import type { CreateLedger, CreateReport } from './create-ledger.js';
import { APP, CONTAINER, describeGroup } from './group-body.js';
import type { AciSettings } from './settings.js';

export interface Groups {
  client: ContainerInstanceManagementClient;
  login: TokenCredential;
  settings: AciSettings;
  budget: CreateBudget;
}

/** The group with its instance view; undefined when there is none. */
export const findGroup = ({ client, settings }: Groups, name: string): Promise<ContainerGroup | undefined> =>
  orMissing(client.containerGroups.get(settings.resourceGroup, name));

/**
 * Creates the group unless there is one: a second PUT could start its work again. Tries the regions one after another, each
 * only when the one before holds nothing of this name, since Azure takes one name in two regions for fraud. Every attempt
 * begins with another region.
 */
export async function createGroup(groups: Groups, request: LaunchRequest): Promise<void> {
  if (await findGroup(groups, request.name)) return;
  const places = await placesFor(groups, request);
  const start = (request.attempt - 1) % places.length;
  const refusals: unknown[] = [];
  for (const place of [...places.slice(start), ...places.slice(0, start)]) {
    const taken = await takeCreate(groups, place.region, refusals);
    if (!taken) continue;
    // Before the `try`: a delivery that has lost the launch to another one must not delete what that one has created.
    await request.confirm?.();
    try {
      await putGroup(groups, request, place, taken);
      return;
    } catch (error) {
      if (!classifyAzureFault(readAzureFault(error), ACI_ERRORS).elsewhere) throw error;
      refusals.push(error);
      await deleteGroup(groups, request.name);
    }
  }
  throw refusals.toSorted((one, other) => patienceFor(one) - patienceFor(other))[0];
}

/** A region, and the GPUs that the container gets there. */
interface Place {
  region: string;
  offer?: GpuOffer;
}

/** Where the group may stand: the region that the job asks for, else every region, or of these the ones that have a GPU where the job has been promised one. */
async function placesFor({ client, settings }: Groups, { gpu, region: asked }: LaunchRequest): Promise<Place[]> {
  const regions = asked === undefined ? settings.regions : [asked];
  if (gpu !== true) return regions.map((region) => ({ region }));
  const offers = await Promise.all(
    regions.map(async (region) => gpuOfferOf(await skusOf(client, region), region, settings.gpuCount)),
  );
  const places = offers.flatMap((offer) => (offer ? [{ region: offer.region, offer }] : []));
  if (places.length === 0)
    throw new JobError(
      'user',
      `${asked === undefined ? 'No region of ACI_REGIONS has a' : `The region ${asked} has no`} GPU any more. ${GPU_RETIRED}.`,
    );
  return places;
}

/** Takes a create of the region out of the budget; when none is left, notes the refusal and returns undefined. */
async function takeCreate({ budget }: Groups, region: string, refusals: unknown[]): Promise<CreateLedger | undefined> {
  try {
    return await budget.take(region);
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    refusals.push(error);
    return undefined;
  }
}

/** Seconds that a refusal asks for: the batch waits for the region that is free first. */
const patienceFor = (refusal: unknown) =>
  (refusal instanceof JobError ? refusal.retryAfterSeconds : retryAfterOf(refusal)) ?? 0;

/**
 * Sends the PUT and stops at its answer: later looks use GET, which unlike the SDK's poller names error codes. When no clear
 * answer comes, GET says whether Azure made the group.
 * @param taken what the budget gave for it.
 */
async function putGroup(
  groups: Groups,
  request: LaunchRequest,
  { region, offer }: Place,
  taken: CreateLedger,
): Promise<void> {
  const { client, settings, budget } = groups;
  let accepted = false;
  let report: CreateReport | undefined;
  try {
    const body = describeGroup(settings, request, region, offer);
    await client.containerGroups.beginCreateOrUpdate(settings.resourceGroup, request.name, body, {
      onResponse: ({ request: { method }, status, headers }) => {
        if (method !== 'PUT') return;
        accepted ||= status < 300;
        report = readReport(status, headers);
      },
    });
  } catch (error) {
    if (accepted) return;
    const { status = 500 } = readAzureFault(error);
    if (status >= 500 && (await findGroup(groups, request.name).catch(() => undefined))) return;
    throw error;
  } finally {
    if (report) await budget.note(region, taken, report);
  }
}

const DELETE_PATIENCE_SECONDS = 20;

/**
 * Deletes the group and asks until it is gone: some groups are known to go on, billed, after Azure accepted the delete.
 * @throws JobError `platform` when it still stands after 20 seconds; call it again.
 */
export async function deleteGroup(groups: Groups, name: string): Promise<void> {
  const { client, settings } = groups;
  if (!(await findGroup(groups, name))) return;
  await client.containerGroups.beginDelete(settings.resourceGroup, name);
  const isGone = async () => ((await findGroup(groups, name)) ? undefined : true);
  if (await poll(isGone, { pauseMs: 1000, withinMs: DELETE_PATIENCE_SECONDS * 1000 })) return;
  throw new JobError(
    'platform',
    `The container group ${name} still stands ${DELETE_PATIENCE_SECONDS} seconds after its deletion; it is deleted again.`,
  );
}

/** The log so far; nothing while there is none: before the start, while the group changes its state, and after its removal. */
export async function readLog({ client, settings }: Groups, name: string): Promise<Printed[]> {
  try {
    const { content = '' } = await client.containers.listLogs(settings.resourceGroup, name, CONTAINER);
    const output = new Printout();
    if (!mayBeCut(content)) {
      output.add(content, 'platform');
      return output.lines();
    }
    // Its first line may be the end of one, and that of a signature which nothing tells from other letters.
    output.add(content.slice(content.indexOf('\n') + 1), 'platform');
    return [CUT, ...output.lines()];
  } catch (error) {
    const { code, status } = readAzureFault(error);
    if (status === 404 || code === 'ContainerGroupTransitioning' || code === 'ContainerLogNotAvailable') return [];
    throw error;
  }
}

const CUT: Printed = {
  text: '(This may be only the end of the output: of a container that has ended, Azure gives 1,000 lines and 16 KB at most, of one that runs 4 MB.)',
  stream: 'platform',
  level: 'warn',
};

/**
 * Whether Azure may have cut it, which it does not say: to 1,000 lines or 16 KB of a container that has ended, to 4 MB of one that runs.
 * It does not say either whether it cuts at whole lines, nor whether its KB has 1,000 or 1,024 bytes.
 */
function mayBeCut(log: string): boolean {
  const bytes = Buffer.byteLength(log);
  const lines = log.split('\n').length;
  return (bytes >= 15_000 && bytes <= 17_000) || bytes >= 3_900_000 || (lines >= 1000 && lines <= 1001);
}

/** This app's groups: Azure's list takes no filter and gives tags but no states. */
export async function listGroups({ client, settings }: Groups): Promise<Launched[]> {
  const found: Launched[] = [];
  for await (const { name, tags } of client.containerGroups.listByResourceGroup(settings.resourceGroup)) {
    if (name === undefined || tags?.app !== APP || tags.hub !== settings.hub) continue;
    found.push({ name, jobId: tags.job ?? '', deadline: Date.parse(tags.deadline ?? '') || 0 });
  }
  return found;
}
