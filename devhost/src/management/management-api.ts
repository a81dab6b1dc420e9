import createRouter, { type HTTPMethod } from 'find-my-way';
import { ClientError, type OrchestrationClient } from '../engine/orchestration-client.js';
import type { Answer, Request } from '../http/http-server.js';
import { json } from './answers.js';
import { type Call, InstanceRequests } from './instance-requests.js';
import { Query } from './query.js';

type Serve = (call: Call) => Promise<Answer>;

/** The durable management API over HTTP, as the extension's HttpApiHandler answers it. */
export class ManagementApi {
  readonly #router = createRouter({ caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: 2000 });
  readonly #hub: string;

  constructor(client: OrchestrationClient, hub: string) {
    this.#hub = hub;
    const instances = new InstanceRequests(client, hub);
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
    this.#on('POST', `${one}/rewind`, () => unsupported('The operation rewind is'));
    this.#on('POST', `${one}/restart`, () => unsupported('The operation restart is'));
    for (const method of ['GET', 'POST', 'DELETE'] as const)
      this.#on(method, '/entities/*', () => unsupported('Entities are'));
  }

  /** `path` is what follows the base of the door through which the request came. */
  async handle(request: Request, path: string): Promise<Answer> {
    const found = this.#router.find(request.method as HTTPMethod, path);
    const serve = found?.store as Serve | undefined;
    if (!found || !serve) return { status: 404 };
    const query = new Query(request.url.searchParams);
    try {
      this.#checkHub(query.text('taskHub'));
      return await serve({ request, params: found.params, query });
    } catch (error) {
      if (error instanceof ClientError) return errorAnswer(error);
      throw error;
    }
  }

  #on(method: HTTPMethod, path: string, serve: Serve): void {
    this.#router.on(method, path, () => undefined, serve);
  }

  #checkHub(hub: string | undefined): void {
    if (hub === undefined || hub.toLowerCase() === this.#hub.toLowerCase()) return;
    throw new ClientError(400, `This host serves the hub ${this.#hub}, not ${hub}.`);
  }
}

async function unsupported(what: string): Promise<Answer> {
  return await Promise.resolve(json(501, { Message: `${what} not supported by this local host.` }));
}

/** Durable extension behaviour: 404 and 410 have no body, and 500 tells the reason in a second member. */
function errorAnswer({ status, message }: ClientError): Answer {
  if (message === '') return { status };
  if (status !== 500) return json(status, { Message: message });
  return json(status, { Message: 'Something went wrong while processing your request', ExceptionMessage: message });
}
