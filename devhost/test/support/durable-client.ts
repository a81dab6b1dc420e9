import { until } from './host-process.js';

export interface Status {
  name: string;
  instanceId: string;
  runtimeStatus: string;
  input: unknown;
  customStatus: unknown;
  output: unknown;
  createdTime: string;
  lastUpdatedTime: string;
  historyEvents: Record<string, unknown>[] | null;
}

/** Talks to a host's durable management API as curl would. */
export class DurableClient {
  readonly base: string;

  constructor(url: string) {
    this.base = `${url}/runtime/webhooks/durabletask`;
  }

  async call(method: string, path: string, body?: unknown): Promise<Response> {
    const init =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return await fetch(`${this.base}/${path}`, { method, ...init });
  }

  /** Starts an instance and returns its id. */
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

  /** Waits until the instance has one of the statuses. */
  async reaches(id: string, ...statuses: string[]): Promise<Status> {
    let status = await this.status(id);
    await until(async () => {
      status = await this.status(id);
      return statuses.includes(status.runtimeStatus);
    });
    return status;
  }

  async ends(id: string): Promise<Status> {
    return await this.reaches(id, 'Completed', 'Failed', 'Terminated');
  }

  /** Runs an orchestration to its end. */
  async run(name: string, input?: unknown): Promise<Status> {
    return await this.ends(await this.start(name, input));
  }
}
