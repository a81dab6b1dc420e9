import { randomUUID } from 'node:crypto';
import type { Runtime } from '../container.js';
import type { Faults } from '../faults.js';
import { type Answer, refuse } from '../http.js';
import { Group } from './group.js';
import { Limits, type Quotas } from './limits.js';
import { resourceId, viewGroup } from './view.js';
import type { GroupBody } from './wire.js';

export interface GroupPath {
  subscription: string;
  resourceGroup: string;
  name: string;
}

/** The container groups of one subscription, and what ARM answers about them. */
export class Subscription {
  readonly groups = new Map<string, Group>();
  /** Groups ever created, by name; a name that stands here twice was started twice. */
  readonly created: string[] = [];
  /** Groups whose work was started again while they stood, by name. */
  readonly replaced: string[] = [];
  /** What the caller may do, at every scope. */
  permissions: { actions: string[]; notActions: string[] }[] = [{ actions: ['*'], notActions: [] }];
  /** The largest container, in every region. */
  largest = { maxCpu: 31, maxMemoryInGB: 240 };
  /** What every region says it has; none in Azure since 2025-07-14. */
  gpu: string | undefined;
  readonly #operations = new Map<string, Group>();
  readonly #limits: Limits;

  constructor(
    private readonly runtime: Runtime,
    private readonly faults: Faults,
    quotas: Quotas,
  ) {
    this.#limits = new Limits(quotas);
  }

  /** 201 for a new group; 200 for one of a name that exists, which starts its work again. */
  async put(at: GroupPath, body: GroupBody, origin: string): Promise<Answer> {
    const { spent, headers } = this.#limits.count(body.location);
    if (spent)
      return refuse(429, 'TooManyRequests', 'The create requests of this region are used up.', { 'retry-after': '30' });
    const gpu = body.properties.containers[0]?.properties.resources.requests.gpu;
    if (gpu && gpu.sku !== this.gpu)
      return refuse(
        409,
        'ServiceUnavailable',
        `The requested resource is not available in the location '${body.location}' at this moment. Please retry with a different resource request or in another location. Resource requested: '${gpu.count}' GPU '${gpu.sku}'`,
      );
    const existing = this.groups.get(at.name);
    const others = [...this.groups.values()].filter((group) => group !== existing);
    const refusal = this.#limits.refusal(others, body);
    if (refusal) return { ...refusal, headers };
    if (existing) this.replaced.push(at.name);
    await existing?.stop();
    const fault = this.faults.take('GROUP', `${at.name} ${body.location}`);
    const group: Group = new Group(at.name, body, this.runtime, fault, () => this.#forget(at.name, group));
    this.groups.set(at.name, group);
    this.created.push(at.name);
    const operation = randomUUID();
    this.#operations.set(operation, group);
    const url = `${origin}/subscriptions/${at.subscription}/providers/Microsoft.ContainerInstance/locations/${body.location}/operations/${operation}?api-version=2018-06-01`;
    const view = viewGroup(group, resourceId(at.subscription, at.resourceGroup, at.name), 'fresh');
    return { status: existing ? 200 : 201, headers: { ...headers, 'azure-asyncoperation': url }, body: view };
  }

  #forget(name: string, group: Group): void {
    if (this.groups.get(name) === group) this.groups.delete(name);
  }

  get(at: GroupPath): Answer {
    const group = this.groups.get(at.name);
    if (!group) return notFound(at);
    return { status: 200, body: viewGroup(group, resourceId(at.subscription, at.resourceGroup, at.name), 'single') };
  }

  list(subscription: string, resourceGroup: string): Answer {
    const value = [...this.groups.values()].map((group) =>
      viewGroup(group, resourceId(subscription, resourceGroup, group.name), 'listed'),
    );
    return { status: 200, body: { value } };
  }

  /** 200 with the whole group, as recorded from Azure; 204 when there was none. */
  async delete(at: GroupPath): Promise<Answer> {
    const group = this.groups.get(at.name);
    if (!group) return { status: 204 };
    const answer = this.get(at);
    this.groups.delete(at.name);
    await group.stop();
    return answer;
  }

  logs(at: GroupPath, tail: number | undefined): Answer {
    const group = this.groups.get(at.name);
    if (!group) return notFound(at);
    if (!group.container) {
      const message = `The container group '${at.name}' is still transitioning, please retry later.`;
      return refuse(409, 'ContainerGroupTransitioning', message);
    }
    return { status: 200, body: { content: group.container.log(tail) } };
  }

  usage(region: string): Answer {
    return { status: 200, body: { value: this.#limits.usage([...this.groups.values()], region) } };
  }

  capabilities(location: string): Answer {
    const common = { resourceType: 'containerGroups', osType: 'Linux', location, ipAddressType: 'Public' };
    const value = [{ ...common, gpu: 'None', capabilities: { ...this.largest, maxGpuCount: 0 } }];
    if (this.gpu) value.push({ ...common, gpu: this.gpu, capabilities: { ...this.largest, maxGpuCount: 4 } });
    return { status: 200, body: { value } };
  }

  rights(): Answer {
    return { status: 200, body: { value: this.permissions } };
  }

  operation(id: string, path: string): Answer {
    const group = this.#operations.get(id);
    if (!group) return refuse(404, 'OperationNotFound', 'There is no such operation.');
    const status = group.provisioningState === 'Creating' ? 'Pending' : group.provisioningState;
    const events = [...group.groupEvents, ...group.containerEvents];
    return { status: 200, body: { id: path, status, startTime: new Date().toISOString(), properties: { events } } };
  }
}

const notFound = ({ resourceGroup, name }: GroupPath) =>
  refuse(
    404,
    'ResourceNotFound',
    `The Resource 'Microsoft.ContainerInstance/containerGroups/${name}' under resource group '${resourceGroup}' was not found.`,
  );
