import { until } from './until.js';

export interface Status {
  name: string;
  instanceId: string;
  runtimeStatus: string;
  input: unknown;
  customStatus: unknown;
  output: unknown;
  createdTime: string;
  lastUpdatedTime: string;
  historyEvents?: Record<string, unknown>[];
}

/** What tests do with orchestrations, whichever way they reach the engine. */
export abstract class Orchestrations {
  /** Starts an instance and returns its id. */
  abstract start(name: string, input?: unknown, id?: string): Promise<string>;
  abstract status(id: string): Promise<Status>;

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
