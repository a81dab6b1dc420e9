import { Orchestrations, type Status } from './orchestrations.js';

/** Talks to a host's durable management API as curl would. */
export class DurableClient extends Orchestrations {
  readonly base: string;

  constructor(url: string) {
    super();
    this.base = `${url}/runtime/webhooks/durabletask`;
  }

  async call(method: string, path: string, body?: unknown): Promise<Response> {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return await fetch(`${this.base}/${path}`, { method, ...init });
  }

  async start(name: string, input?: unknown, id?: string): Promise<string> {
    const response = await this.call('POST', `orchestrators/${name}${id ? `/${id}` : ''}`, input);
    const text = await response.text();
    if (response.status !== 202) throw new Error(`${response.status} ${text}`);
    return (JSON.parse(text) as { id: string }).id;
  }

  async status(id: string, query = ''): Promise<Status> {
    return (await (await this.call('GET', `instances/${id}?${query}`)).json()) as Status;
  }

  async raise(id: string, name: string, data: unknown = null): Promise<number> {
    return (await this.call('POST', `instances/${id}/raiseEvent/${name}`, data)).status;
  }
}
