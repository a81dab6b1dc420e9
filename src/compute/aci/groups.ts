import type { ContainerGroup, ContainerInstanceManagementClient } from '@azure/arm-containerinstance';
import { azureJobError, classifyAzureFault } from '../azure/errors.js';
import { readAzureFault } from '../azure/fault.js';
import type { CreateLedger, CreateReport } from './create-ledger.js';
import { JobError } from '../../job/failure.js';
import { poll } from '../../poll.js';
import { orMissing } from '../azure/arm.js';
import type { LaunchRequest } from '../provider.js';
import { type CreateBudget, readReport } from './create-budget.js';
import { describeGroup } from './group.js';
import type { AciSettings } from './settings.js';

export interface Groups {
  client: ContainerInstanceManagementClient;
  settings: AciSettings;
  budget: CreateBudget;
}

/** The group with its instance view; undefined when there is none. */
export const findGroup = ({ client, settings }: Groups, name: string): Promise<ContainerGroup | undefined> =>
  orMissing(client.containerGroups.get(settings.resourceGroup, name));

/**
 * Creates the group unless there is one: a second PUT could start its work again. Regions are tried one after another,
 * each only when the one before holds nothing of this name, since Azure takes one name in two regions for fraud. Another
 * attempt begins with another region.
 */
export async function createGroup(groups: Groups, request: LaunchRequest): Promise<void> {
  if (await findGroup(groups, request.name)) return;
  const { regions } = groups.settings;
  const start = (request.attempt - 1) % regions.length;
  const refusals: unknown[] = [];
  for (const region of [...regions.slice(start), ...regions.slice(0, start)]) {
    const taken = await takeCreate(groups, region, refusals);
    if (!taken) continue;
    // Outside of what follows: who has lost the launch to another delivery must not delete what that one has created.
    await request.confirm?.();
    try {
      await putGroup(groups, request, region, taken);
      return;
    } catch (error) {
      if (!classifyAzureFault(readAzureFault(error)).elsewhere) throw error;
      refusals.push(error);
      await deleteGroup(groups, request.name);
    }
  }
  throw refusals.toSorted((one, other) => patienceFor(one) - patienceFor(other))[0];
}

/** Takes a create of the region out of the budget; undefined, and one refusal more, when none is left. */
async function takeCreate({ budget }: Groups, region: string, refusals: unknown[]): Promise<CreateLedger | undefined> {
  try {
    return await budget.take(region);
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    refusals.push(error);
    return undefined;
  }
}

/** Seconds that a refusal asks for: the region that is free first decides how long the batch waits. */
const patienceFor = (refusal: unknown) => azureJobError(refusal).retryAfterSeconds ?? 0;

/** Azure answers a PUT within seconds; an answer that is lost must not hold the launch for ever. */
const PUT_TIMEOUT_MS = 60_000;

/**
 * Sends the PUT and stops at its answer: how the operation goes on is read with GET, which unlike the SDK names codes. When
 * no clear answer came, GET says whether the group was made.
 * @param taken what the budget gave for it.
 */
async function putGroup(groups: Groups, request: LaunchRequest, region: string, taken: CreateLedger): Promise<void> {
  const { client, settings, budget } = groups;
  let accepted = false;
  let report: CreateReport | undefined;
  try {
    const body = describeGroup(settings, request, region);
    await client.containerGroups.beginCreateOrUpdate(settings.resourceGroup, request.name, body, {
      abortSignal: AbortSignal.timeout(PUT_TIMEOUT_MS),
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
