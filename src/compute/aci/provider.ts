import { azureJobError } from '../azure/errors.js';
import { readAzureFault } from '../azure/fault.js';
import type { LedgerStore } from './create-ledger.js';
import { loginTo } from '../azure/arm.js';
import { checkImageFor } from '../azure/image.js';
import type { ComputeProvider, Launched } from '../provider.js';
import { checkRights } from '../azure/rights.js';
import { lazyClient } from './client.js';
import { CreateBudget, createOwnLedgers } from './create-budget.js';
import { APP, CONTAINER } from './group.js';
import { createGroup, deleteGroup, findGroup, type Groups } from './groups.js';
import { needsOf } from './needs.js';
import { observeGroup } from './observation.js';
import { checkCapacity } from './preflight.js';
import type { AciSettings } from './settings.js';

/** Longest pause between two looks at a group, in seconds. */
const LONGEST_POLL = 60;
/** Lines asked of a log: Azure keeps at most 1,000, and 16 KB, of a container that has ended. */
const LOG_LINES = 1000;

export interface AciOptions {
  ledgers?: LedgerStore;
  timeout?: number;
}

/**
 * Runs each container as a container group of Azure Container Instances, named after its attempt.
 * @param options.ledgers where creates are counted; those of one process only unless told otherwise.
 * @param options.timeout milliseconds after which a request without an answer is given up.
 */
export function createAciCompute(settings: AciSettings, options: AciOptions = {}): ComputeProvider {
  const login = loginTo(settings.endpoint);
  const client = lazyClient(settings, login, options.timeout);
  const budget = new CreateBudget(options.ledgers ?? createOwnLedgers(), settings.subscriptionId);
  const ask = async <T>(work: (groups: Groups) => Promise<T>): Promise<T> => {
    try {
      return await work({ client: await client(), settings, budget });
    } catch (error) {
      throw azureJobError(error);
    }
  };
  return {
    poll: { minSeconds: settings.pollSeconds, maxSeconds: Math.max(settings.pollSeconds, LONGEST_POLL) },
    preflight: (request) =>
      ask(async (groups) => {
        const [preflight, warning] = await Promise.all([
          checkCapacity(groups, request),
          checkImageFor(settings, settings.image, 'ACI_IMAGE'),
          checkRights(settings.endpoint, login, needsOf(settings)),
        ]);
        return warning === undefined ? preflight : { ...preflight, warnings: [...preflight.warnings, warning] };
      }),
    launch: (request) => ask((groups) => createGroup(groups, request)),
    observe: (name) =>
      ask(async (groups) => {
        const group = await findGroup(groups, name);
        return group
          ? observeGroup(group)
          : { state: 'lost', blame: 'platform', reason: `Azure no longer knows the container group ${name}` };
      }),
    logs: (name) => ask((groups) => readLog(groups, name)),
    remove: (name) => ask((groups) => deleteGroup(groups, name)),
    list: () => ask(listGroups),
  };
}

/** '' while there is none: before the start, while the group changes its state, and after its end. */
async function readLog({ client, settings }: Groups, name: string): Promise<string> {
  try {
    const { content = '' } = await client.containers.listLogs(settings.resourceGroup, name, CONTAINER, {
      tail: LOG_LINES,
    });
    return mayBeCut(content) ? `${CUT}\n${content}` : content;
  } catch (error) {
    const { code, status } = readAzureFault(error);
    if (status === 404 || code === 'ContainerGroupTransitioning' || code === 'ContainerLogNotAvailable') return '';
    throw error;
  }
}

const CUT =
  '(This may be only the end of the log: Azure gives 1,000 lines at most, and 16 KB of a container that has ended.)';

/** Azure cuts at whole lines or not, and counts a KB as 1,000 or 1,024 bytes: neither is told. */
const mayBeCut = (log: string) => Buffer.byteLength(log) >= 15_000 || log.split('\n').length >= LOG_LINES;

/** Azure's list knows no filter and gives tags but no states. */
async function listGroups({ client, settings }: Groups): Promise<Launched[]> {
  const found: Launched[] = [];
  for await (const { name, tags } of client.containerGroups.listByResourceGroup(settings.resourceGroup)) {
    if (name === undefined || tags?.app !== APP || tags.hub !== settings.hub) continue;
    found.push({ name, jobId: tags.job ?? '', deadline: Date.parse(tags.deadline ?? '') || 0 });
  }
  return found;
}
