import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal } from '../engine/history-events.js';
import { ClientError, type OrchestrationClient } from '../engine/orchestration-client.js';
import type { Answer, Request } from '../http/http-server.js';
import type { InstanceRow } from '../store/instance-table.js';
import { json, validJson } from './answers.js';
import { historyBody, statusBody } from './bodies.js';
import type { Query } from './query.js';
import { managementUrls } from './urls.js';

/** A request to the API with the decoded parameters of its path. */
export interface Call {
  request: Request;
  params: Record<string, string | undefined>;
  query: Query;
}

/** "Queued", not "done". */
const ACCEPTED: Answer = { status: 202 };

/** What the management API does with instances; see its router for the paths. */
export class InstanceRequests {
  readonly #client: OrchestrationClient;
  readonly #hub: string;

  constructor(client: OrchestrationClient, hub: string) {
    this.#client = client;
    this.#hub = hub;
  }

  async start(call: Call): Promise<Answer> {
    const { name = '', id: instanceId } = call.params;
    const input = call.request.body.length > 0 ? validJson(call.request.body.toString()) : null;
    const id = await this.#client.start({ name, instanceId, input, version: call.query.text('version') ?? '' });
    const timeout = call.query.number('timeout');
    const interval = call.query.number('pollingInterval');
    const row = timeout !== undefined && interval !== undefined ? await this.#wait(id, timeout, interval) : undefined;
    if (row) return { ...json(row.status === 'Failed' ? 500 : 200, {}), body: row.output ?? '' };
    const urls = managementUrls(call.request.url.origin, this.#hub, id);
    const { statusQueryGetUri = '' } = urls;
    return json(202, { id, ...urls }, { Location: statusQueryGetUri, 'Retry-After': '10' });
  }

  async #wait(id: string, timeout: number, interval: number): Promise<InstanceRow | undefined> {
    const deadline = Date.now() + timeout * 1000;
    while (Date.now() < deadline) {
      const row = await this.#client.get(id);
      if (row && isTerminal(row.status)) return row;
      await sleep(Math.min(interval * 1000, Math.max(deadline - Date.now(), 0)));
    }
    return undefined;
  }

  async status(call: Call): Promise<Answer> {
    const id = instanceOf(call);
    const row = await this.#client.get(id);
    if (!row) return { status: 404 };
    const showInput = call.query.flag('showInput', true);
    const withHistory = call.query.flag('showHistory', false) && row.status !== 'Pending';
    const history = withHistory
      ? historyBody(await this.#client.history(id), showInput, call.query.flag('showHistoryOutput', false))
      : null;
    const body = statusBody(row, showInput, history);
    if (!isTerminal(row.status)) return json(202, body, { Location: call.request.url.href, 'Retry-After': '5' });
    const failed = row.status === 'Failed' && call.query.flag('returnInternalServerErrorOnFailure', false);
    return json(failed ? 500 : 200, body);
  }

  async list(call: Call): Promise<Answer> {
    const token = call.request.headers['x-ms-continuation-token'];
    const top = call.query.number('top') ?? 100;
    const { rows, next } = await this.#client.page(
      call.query.instances(),
      Math.min(Math.max(top, 1), 1000),
      token ? String(token) : undefined,
    );
    const showInput = call.query.flag('showInput', true);
    const bodies = rows.map((row) => statusBody(row, showInput));
    return json(200, bodies, { 'x-ms-continuation-token': next ?? '' });
  }

  async purge(call: Call): Promise<Answer> {
    return (await this.#client.purge(instanceOf(call))) ? json(200, { instancesDeleted: 1 }) : { status: 404 };
  }

  /** As in Azure, statuses of running instances are left out of the filter, and no filter means every status. */
  async purgeAll(call: Call): Promise<Answer> {
    const query = call.query.instances();
    if (!query.createdFrom) return json(400, "Please provide value for 'createdTimeFrom' parameter.");
    const statuses = (query.statuses ?? []).filter((status) => isTerminal(status));
    const deleted = await this.#client.purgeAll({ ...query, statuses });
    return deleted > 0 ? json(200, { instancesDeleted: deleted }) : { status: 404 };
  }

  async terminate(call: Call): Promise<Answer> {
    await this.#client.send(instanceOf(call), { EventType: 'ExecutionTerminated', Input: reasonOf(call) });
    return ACCEPTED;
  }

  async suspend(call: Call): Promise<Answer> {
    await this.#client.suspend(instanceOf(call), reasonOf(call));
    return ACCEPTED;
  }

  async resume(call: Call): Promise<Answer> {
    await this.#client.resume(instanceOf(call), reasonOf(call));
    return ACCEPTED;
  }

  /** The SDK keeps events and tasks in one table of names, so an all-digit name could complete a task. */
  async raise(call: Call): Promise<Answer> {
    const name = call.params['event'] ?? '';
    if (!/^application\/json\b/i.test(call.request.headers['content-type'] ?? '')) {
      throw new ClientError(400, 'Only application/json request content is supported');
    }
    if (/^\d+$/.test(name))
      throw new ClientError(400, `'${name}' is no usable event name: the SDK would take it for the number of a task.`);
    const input = validJson(call.request.body.toString());
    await this.#client.send(instanceOf(call), { EventType: 'EventRaised', Name: name, Input: input });
    return ACCEPTED;
  }
}

function instanceOf(call: Call): string {
  return call.params['id'] ?? '';
}

function reasonOf(call: Call): string {
  return call.query.text('reason') ?? '';
}
