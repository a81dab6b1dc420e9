import { lazyClient } from '../azure/arm.js';
import { loginTo } from '../azure/login.js';
import { pollBounds } from '../azure/settings.js';
import { azureJobError } from '../azure/verdict.js';
import type { ComputeProvider } from '../provider.js';
import { ACI_ERRORS } from './codes.js';
import { CreateBudget, type LedgerStore } from './create-budget.js';
import { createGroup, deleteGroup, findGroup, type Groups, listGroups, readLog } from './groups.js';
import { observeGroup } from './observation.js';
import { preflightAci } from './preflight.js';
import type { AciSettings } from './settings.js';

/**
 * Runs each container as a container group of Azure Container Instances, named after its attempt.
 * @param ledgers where all instances of the app count their creates together.
 */
export function createAciCompute(settings: AciSettings, ledgers: LedgerStore): ComputeProvider {
  const login = loginTo(settings.endpoint);
  const client = lazyClient(settings, async (options) => {
    const { ContainerInstanceManagementClient } = await import('@azure/arm-containerinstance');
    return new ContainerInstanceManagementClient(login, settings.subscriptionId, options);
  });
  const budget = new CreateBudget(ledgers, settings.subscriptionId);
  const ask = async <T>(work: (groups: Groups) => Promise<T>): Promise<T> => {
    try {
      return await work({ client: await client(), login, settings, budget });
    } catch (error) {
      throw azureJobError(error, ACI_ERRORS);
    }
  };
  return {
    poll: pollBounds(settings),
    preflight: (request) => ask((groups) => preflightAci(groups, request)),
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
