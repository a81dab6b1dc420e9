import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal } from '../engine/history-events.js';
import { ClientError, type OrchestrationClient } from '../engine/orchestration-client.js';
import { messageOf } from '../fault.js';
import type { Answer, Request } from '../http/http-server.js';
import type { InstanceRow } from '../store/instance-table.js';
import { historyBody, statusBody } from './bodies.js';
import { Query } from './query.js';
import { managementUrls } from './urls.js';

/** A request below one of the API's two doors, with the path split into its decoded segments. */
interface Call {
  request: Request;
  segments: string[];
  query: Query;
}

/** The durable management API over HTTP, as the extension's HttpApiHandler answers it. */
export class ManagementApi {
  readonly #client: OrchestrationClient;
  readonly #hub: string;

  constructor(client: OrchestrationClient, hub: string) {
    this.#client = client;
    this.#hub = hub;
  }

  /** `path` is what follows the door's base. */
  async handle(request: Request, path: string): Promise<Answer> {
    const segments = path.split('/').filter(Boolean).map((segment) => decode(segment));
    const query = new Query(request.url.searchParams);
    try {
      const hub = query.text('taskHub');
      if (hub !== undefined && hub.toLowerCase() !== this.#hub.toLowerCase()) {
        throw new ClientError(400, `This host serves the hub ${this.#hub}, not ${hub}.`);
      }
      return await this.#route({ request, segments, query });
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.message === '') return { status: error.status };
      const hint = error.status === 500 ? { Message: 'Something went wrong while processing your request', ExceptionMessage: error.message } : { Message: error.message };
      return json(error.status, hint);
    }
  }

  async #route(call: Call): Promise<Answer> {
    const [collection = '', first, second, third] = call.segments.map((each, index) => (index % 2 === 0 ? each.toLowerCase() : each));
    const { method } = call.request;
    if (collection === 'entities') return json(501, { Message: 'Entities are not supported by this local host.' });
    if (collection === 'orchestrators' && first !== undefined && method === 'POST') {
      return await this.#start(call, first, call.segments[2]);
    }
    if (collection !== 'instances') return { status: 404 };
    if (first === undefined) {
      if (method === 'GET') return await this.#list(call);
      return method === 'DELETE' ? await this.#purgeAll(call) : { status: 404 };
    }
    if (second === undefined) {
      if (method === 'GET') return await this.#status(call, first);
      return method === 'DELETE' ? await this.#purge(first) : { status: 404 };
    }
    return method === 'POST' ? await this.#operate(call, first, second, third) : { status: 404 };
  }

  async #start(call: Call, name: string, instanceId: string | undefined): Promise<Answer> {
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

  async #status(call: Call, id: string): Promise<Answer> {
    const row = await this.#client.get(id);
    if (!row) return { status: 404 };
    const showInput = call.query.flag('showInput', true);
    const withHistory = call.query.flag('showHistory', false) && row.status !== 'Pending';
    const history = withHistory ? historyBody(await this.#client.history(id), showInput, call.query.flag('showHistoryOutput', false)) : null;
    const body = statusBody(row, showInput, history);
    if (!isTerminal(row.status)) return json(202, body, { Location: call.request.url.href, 'Retry-After': '5' });
    const failed = row.status === 'Failed' && call.query.flag('returnInternalServerErrorOnFailure', false);
    return json(failed ? 500 : 200, body);
  }

  async #list(call: Call): Promise<Answer> {
    const token = call.request.headers['x-ms-continuation-token'];
    const top = call.query.number('top') ?? 100;
    const { rows, next } = await this.#client.page(call.query.instances(), Math.min(Math.max(top, 1), 1000), token ? String(token) : undefined);
    const showInput = call.query.flag('showInput', true);
    const bodies = rows.map((row) => statusBody(row, showInput));
    return json(200, bodies, { 'x-ms-continuation-token': next ?? '' });
  }

  async #purge(id: string): Promise<Answer> {
    return (await this.#client.purge(id)) ? json(200, { instancesDeleted: 1 }) : { status: 404 };
  }

  /** As in Azure, statuses of running instances are left out of the filter, and no filter means every status. */
  async #purgeAll(call: Call): Promise<Answer> {
    const query = call.query.instances();
    if (!query.createdFrom) return json(400, "Please provide value for 'createdTimeFrom' parameter.");
    const statuses = (query.statuses ?? []).filter((status) => ['Completed', 'Failed', 'Terminated', 'Canceled'].includes(status));
    const deleted = await this.#client.purgeAll({ ...query, statuses });
    return deleted > 0 ? json(200, { instancesDeleted: deleted }) : { status: 404 };
  }

  async #operate(call: Call, id: string, operation: string, argument: string | undefined): Promise<Answer> {
    const reason = call.query.text('reason') ?? '';
    if (operation === 'raiseevent' && argument !== undefined) await this.#raise(call, id, call.segments[3] ?? '');
    else if (operation === 'terminate') await this.#client.send(id, { EventType: 'ExecutionTerminated', Input: reason });
    else if (operation === 'suspend') await this.#client.suspend(id, reason);
    else if (operation === 'resume') await this.#client.resume(id, reason);
    else if (operation === 'rewind' || operation === 'restart') {
      return json(501, { Message: `The operation ${operation} is not supported by this local host.` });
    } else return { status: 404 };
    return { status: 202 };
  }

  /** The SDK keeps events and tasks in one table of names, so an all-digit name could complete a task. */
  async #raise(call: Call, id: string, name: string): Promise<void> {
    if (!/^application\/json\b/i.test(call.request.headers['content-type'] ?? '')) {
      throw new ClientError(400, 'Only application/json request content is supported');
    }
    if (/^\d+$/.test(name)) throw new ClientError(400, `'${name}' is no usable event name: the SDK would take it for the number of a task.`);
    const input = validJson(call.request.body.toString());
    await this.#client.send(id, { EventType: 'EventRaised', Name: name, Input: input });
  }
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body: JSON.stringify(body) };
}

function validJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new ClientError(400, `The body is not valid JSON: ${messageOf(error)}`);
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ClientError(400, `'${segment}' is not a valid part of a URL.`);
  }
}
