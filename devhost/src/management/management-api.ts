import { setTimeout as sleep } from 'node:timers/promises';
import createRouter, { type HTTPMethod } from 'find-my-way';
import { ClientError, type OrchestrationClient } from '../engine/client.js';
import type { Answer, Request } from '../http/http-server.js';
import { messageOf } from '../log.js';
import { escaped, isTerminal } from '../protocol/history.js';
import { traceOf } from '../tracing/trace-context.js';
import { historyBody, statusBody } from './bodies.js';
import { Query } from './query.js';
import { CONNECTION, managementUrls } from './urls.js';

/** A request to the API with the decoded parameters of its path. */
interface Call {
  request: Request;
  params: Record<string, string | undefined>;
  query: Query;
}

type Serve = (call: Call) => Promise<Answer>;

/** "Queued", not "done". */
const ACCEPTED: Answer = { status: 202 };

/** The durable management API over HTTP, as the extension's HttpApiHandler answers it. */
export class ManagementApi {
  readonly #router = createRouter({ caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: 2000 });
  readonly #hub: string;

  /** `key` is what the URLs in answers carry. */
  constructor(client: OrchestrationClient, hub: string, key: string) {
    this.#hub = hub;
    const instances = new InstanceRequests(client, hub, key);
    const one = '/instances/:id';
    this.#on('POST', '/orchestrators/:name', (call) => instances.start(call));
    this.#on('POST', '/orchestrators/:name/:id', (call) => instances.start(call));
    this.#on('GET', '/instances', (call) => instances.list(call));
    this.#on('DELETE', '/instances', (call) => instances.purgeAll(call));
    this.#on('GET', one, (call) => instances.status(call));
    this.#on('DELETE', one, (call) => instances.purge(call));
    this.#on('POST', `${one}/raiseEvent/:event`, (call) => instances.raise(call));
    this.#on('POST', `${one}/terminate`, (call) => instances.terminate(call));
    this.#on('POST', `${one}/suspend`, (call) => instances.suspend(call));
    this.#on('POST', `${one}/resume`, (call) => instances.resume(call));
    this.#on('POST', `${one}/rewind`, (call) => instances.rewind(call));
    this.#on('POST', `${one}/restart`, (call) => instances.restart(call));
    this.#on('GET', '/entities', noEntities);
    this.#on('GET', '/entities/:name', noEntities);
    this.#on('GET', '/entities/:name/:key', () => Promise.resolve({ status: 404 }));
    for (const method of ['POST', 'DELETE'] as const) this.#on(method, '/entities/:name/:key', noEntityFunction);
  }

  /** `path` is what follows the base of the door through which the request came. */
  async handle(request: Request, path: string): Promise<Answer> {
    const found = this.#router.find(request.method as HTTPMethod, decoded(path));
    const serve = found?.store as Serve | undefined;
    if (!found || !serve) return { status: 404 };
    const query = new Query(request.url.searchParams);
    try {
      this.#checkHub(query);
      return await serve({ request, params: found.params, query });
    } catch (error) {
      if (error instanceof ClientError) return errorAnswer(error);
      throw error;
    }
  }

  #on(method: HTTPMethod, path: string, serve: Serve): void {
    this.#router.on(method, path, () => undefined, serve);
  }

  /** This host has one hub in one storage account: in any other hub it finds nothing, and other connections it cannot resolve. */
  #checkHub(query: Query): void {
    const connection = query.text('connection') ?? CONNECTION;
    if (![CONNECTION, 'Storage'].some((each) => each.toLowerCase() === connection.toLowerCase()))
      throw new ClientError(500, `Unable to resolve the Azure Storage connection named '${connection}'.`);
    const hub = query.text('taskHub') ?? this.#hub;
    if (hub.toLowerCase() !== this.#hub.toLowerCase()) throw new ClientError(404, '');
  }
}

/** As the extension matches paths: unescaped as a whole first, so that an escaped slash separates like any other. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
      .split('/')
      .map((each) => encodeURIComponent(each))
      .join('/');
  } catch {
    return path;
  }
}

/** An app with entities is refused at start. */
const noEntities: Serve = () => Promise.resolve(json(200, []));

const noEntityFunction: Serve = ({ params: { name = '' } }) => {
  const info = 'Additional info: No entity functions are currently registered!';
  const text = `The function '${name}' doesn't exist, is disabled, or is not an entity function. ${info}`;
  return Promise.resolve(json(400, { Message: text }));
};

/** Durable extension behaviour: 404 and 410 have no body, and a second member tells what an exception said. */
function errorAnswer({ status, message, reason }: ClientError): Answer {
  if (message === '') return { status };
  if (status === 500)
    return json(status, { Message: 'Something went wrong while processing your request', ExceptionMessage: message });
  return json(status, { Message: message, ...(reason === undefined ? {} : { ExceptionMessage: reason }) });
}

/** What each request does. */
class InstanceRequests {
  readonly #client: OrchestrationClient;
  readonly #hub: string;
  readonly #key: string;

  constructor(client: OrchestrationClient, hub: string, key: string) {
    this.#client = client;
    this.#hub = hub;
    this.#key = key;
  }

  async start(call: Call): Promise<Answer> {
    if (call.request.body.length > 0) mustBeJson(call);
    const { name = '', id: instanceId } = call.params;
    const input = call.request.body.length > 0 ? validJson(call.request.body.toString()) : null;
    const version = call.query.text('version') ?? '';
    const id = await this.#client.start({ name, instanceId, input, version, caller: traceOf(call.request.headers) });
    return await this.#started(call, id);
  }

  /** The URLs of a new instance, or its output when the caller wants to wait and it ends in time. */
  async #started(call: Call, id: string): Promise<Answer> {
    const timeout = call.query.number('timeout');
    const interval = call.query.number('pollingInterval');
    if (timeout !== undefined && interval !== undefined && (await this.#ends(id, timeout, interval))) {
      const row = await this.#client.get(id);
      if (row?.status === 'Completed') return { ...json(200, null), body: row.output ?? 'null' };
      return await this.status({ ...call, params: { id } });
    }
    const urls = managementUrls(call.request.url.origin, this.#hub, id, this.#key);
    const { statusQueryGetUri = '' } = urls;
    return json(202, { id, ...urls }, { Location: statusQueryGetUri, 'Retry-After': '10' });
  }

  /** Waits at most so many seconds; false when the instance has not ended by then. */
  async #ends(id: string, timeout: number, interval: number): Promise<boolean> {
    const deadline = Date.now() + timeout * 1000;
    while (Date.now() < deadline) {
      const row = await this.#client.get(id);
      if (row && isTerminal(row.status)) return true;
      await sleep(Math.min(interval * 1000, Math.max(deadline - Date.now(), 0)));
    }
    return false;
  }

  async status(call: Call): Promise<Answer> {
    const id = instanceOf(call);
    const row = await this.#client.get(id);
    if (!row) return { status: 404 };
    const showInput = call.query.flag('showInput', true);
    const withHistory = call.query.flag('showHistory', false) && row.status !== 'Pending';
    const history = withHistory
      ? historyBody(await this.#client.history(id), showInput, call.query.flag('showHistoryOutput', false))
      : undefined;
    const body = statusBody(row, showInput, history);
    if (!isTerminal(row.status)) return json(202, body, { Location: call.request.url.href, 'Retry-After': '5' });
    const failed = row.status === 'Failed' && call.query.flag('returnInternalServerErrorOnFailure', false);
    return json(failed ? 500 : 200, body);
  }

  async list(call: Call): Promise<Answer> {
    const token = call.request.headers['x-ms-continuation-token'];
    const top = call.query.integer('top') ?? 100;
    const query = call.query.instances();
    const { rows, next } = await this.#client.page(
      query,
      Math.min(Math.max(top, 0), 1000),
      token ? String(token) : undefined,
    );
    const filtered =
      Boolean(query.idPrefix ?? query.createdFrom ?? query.createdTo) || (query.statuses ?? []).length > 0;
    // DurableTask.AzureStorage behaviour: without any filter it reads whole rows.
    const showInput = !filtered || call.query.flag('showInput', true);
    const bodies = rows.map((row) => statusBody(row, showInput));
    return json(200, bodies, next === undefined ? {} : { 'x-ms-continuation-token': next });
  }

  async purge(call: Call): Promise<Answer> {
    const id = instanceOf(call);
    const status = await this.#client.statusOf(id);
    if (status === undefined) return { status: 404 };
    if (!isTerminal(status)) {
      const text = `Only orchestrations in a terminal state can be purged, but the orchestration with instance ID ${id} has status ${status}`;
      return json(412, text);
    }
    return (await this.#client.purge(id)) ? json(200, { instancesDeleted: 1 }) : { status: 404 };
  }

  /**
   * As in Azure, no filter means every status, and statuses of running instances are left out of a filter; but one that names no others
   * is refused, where Azure would then remove every instance.
   */
  async purgeAll(call: Call): Promise<Answer> {
    const query = call.query.instances();
    if (!query.createdFrom) return json(400, "Please provide value for 'createdTimeFrom' parameter.");
    const statuses = (query.statuses ?? []).filter((status) => isTerminal(status));
    if (call.query.has('runtimeStatus') && statuses.length === 0) {
      const text =
        "Only ended instances can be purged: 'runtimeStatus' must name Completed, Failed, Terminated or Canceled. (Azure would now purge every instance, running ones too.)";
      return json(400, text);
    }
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

  async rewind(call: Call): Promise<Answer> {
    const refusal = await this.#client.rewind(instanceOf(call), reasonOf(call));
    return refusal ? json(refusal.status, refusal.message) : ACCEPTED;
  }

  async restart(call: Call): Promise<Answer> {
    const source = instanceOf(call);
    const newId = call.query.flag('restartWithNewInstanceId', true);
    const id = await this.#client.restart(source, { newId, caller: traceOf(call.request.headers) });
    if (id !== undefined) return await this.#started(call, id);
    return json(400, {
      Message: 'InstanceId does not match a valid orchestration instance.',
      ExceptionMessage: `No instance with ID '${source}' was found. (Parameter 'instanceId')`,
    });
  }

  /** The SDK keeps events and tasks in one table of names, so an all-digit name could complete a task. */
  async raise(call: Call): Promise<Answer> {
    const name = call.params['event'] ?? '';
    mustBeJson(call);
    if (/^\d+$/.test(name))
      throw new ClientError(
        400,
        `'${name}' cannot be the name of an event: the SDK would take it for the number of a task.`,
      );
    const input = validJson(call.request.body.toString());
    const event = { EventType: 'EventRaised', Name: name, Input: input } as const;
    await this.#client.raise(instanceOf(call), event, traceOf(call.request.headers));
    return ACCEPTED;
  }
}

/** Of the pages of other sites a browser lets send JSON only those that the server allows. The extension asks for it with events only. */
function mustBeJson(call: Call): void {
  if (!/^application\/json\b/i.test(call.request.headers['content-type'] ?? ''))
    throw new ClientError(400, 'Only application/json request content is supported');
}

function instanceOf(call: Call): string {
  return call.params['id'] ?? '';
}

function reasonOf(call: Call): string {
  return call.query.text('reason') ?? '';
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

/** The text, when it is JSON, as the extension passes it on: without blanks between tokens. */
function validJson(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new ClientError(400, 'Invalid JSON content', messageOf(error));
  }
  return escaped(text.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, (_, literal: string | undefined) => literal ?? ''));
}
