import { randomBytes } from 'node:crypto';
import type { Runtime } from '../container.js';
import type { ExecutionFault, Faults } from '../faults.js';
import { type Answer, refuse } from '../http.js';
import { Execution } from './execution.js';
import { type JobPath, notFound, providers, viewExecution, viewJob } from './view.js';
import type { ExecutionTemplate, JobBody } from './wire.js';

/** What the one Container Apps environment of the emulator has. */
export interface AppsOptions {
  location: string;
  /** By name, the type of each workload profile. */
  profiles: Record<string, string>;
  /** Limits by the names of Azure's quotas. */
  quotas: { ManagedEnvironmentConsumptionCores: number; SubscriptionConsumptionT4Gpus: number };
}

interface Job {
  body: JobBody;
  provisioningState: 'InProgress' | 'Succeeded';
  /** Oldest first. */
  executions: Execution[];
}

/** Ended executions that Azure remembers of a job. */
const HISTORY = 100;

/** The Container Apps jobs of one subscription, and what ARM answers about them. */
export class Apps {
  readonly jobs = new Map<string, Job>();
  /** Templates of all executions ever started. */
  readonly started: ExecutionTemplate[] = [];

  constructor(
    private readonly runtime: Runtime,
    private readonly faults: Faults,
    private readonly options: AppsOptions,
  ) {}

  get executions(): Execution[] {
    return [...this.jobs.values()].flatMap(({ executions }) => executions);
  }

  /** 201 for a new job; 200 for one that exists, which is replaced and keeps its executions. */
  put(at: JobPath, body: JobBody, origin: string): Answer {
    const { triggerType, replicaTimeout } = body.properties.configuration;
    if (typeof triggerType !== 'string' || !(replicaTimeout > 0))
      return refuse(400, 'InvalidRequestContent', 'The request content was invalid.');
    const profile = body.properties.workloadProfileName;
    if (profile !== undefined && !(profile in this.options.profiles))
      return refuse(400, 'WorkloadProfileNameNotFound', `The workload profile '${profile}' does not exist.`);
    const existing = this.jobs.get(at.job);
    const job: Job = { body, provisioningState: 'InProgress', executions: existing?.executions ?? [] };
    this.jobs.set(at.job, job);
    setTimeout(() => (job.provisioningState = 'Succeeded'), this.runtime.delays.waitMs).unref();
    const operation = `${origin}${providers(at)}/locations/${body.location}/containerappsjobOperationStatuses`;
    const headers = { 'azure-asyncoperation': `${operation}/${at.job}?api-version=2025-07-01` };
    return { status: existing ? 200 : 201, headers, body: viewJob(at, job) };
  }

  get(at: JobPath): Answer {
    const job = this.jobs.get(at.job);
    return job ? { status: 200, body: viewJob(at, job) } : notFound(at);
  }

  list(at: Omit<JobPath, 'job'>): Answer {
    const value = [...this.jobs].map(([name, job]) => viewJob({ ...at, job: name }, job));
    return { status: 200, body: { value } };
  }

  /** Starts another execution at every call. */
  start(at: JobPath, template: ExecutionTemplate | undefined, origin: string): Answer {
    const job = this.jobs.get(at.job);
    if (!job) return notFound(at);
    const used = template ?? { containers: job.body.properties.template.containers };
    const secrets = new Map(job.body.properties.configuration.secrets?.map(({ name, value }) => [name, value ?? '']));
    const environment: Record<string, string> = {};
    for (const { name, value, secretRef } of used.containers[0]?.env ?? []) {
      if (secretRef !== undefined && !secrets.has(secretRef))
        return refuse(
          400,
          'ContainerAppSecretRefNotFound',
          `SecretRef '${secretRef}' defined for container is not found.`,
        );
      environment[name] = secretRef === undefined ? (value ?? '') : (secrets.get(secretRef) ?? '');
    }
    const fault = this.faults.take('EXECUTION', JSON.stringify(used));
    const starts = fault?.fate === 'twice' ? 2 : 1;
    const names = Array.from({ length: starts }, () => this.#startOne(at.job, job, used, environment, fault));
    const id = `${providers(at)}/locations/${job.body.location}/containerappsjobOperationResults/${names[0]}`;
    return {
      status: 202,
      headers: { location: `${origin}${id}?api-version=2025-07-01&job=${at.job}&group=${at.group}` },
    };
  }

  #startOne(
    jobName: string,
    job: Job,
    template: ExecutionTemplate,
    environment: Record<string, string>,
    fault: ExecutionFault | undefined,
  ): string {
    const name = `${jobName}-${randomBytes(4).toString('hex').slice(0, 7)}`;
    const { replicaTimeout } = job.body.properties.configuration;
    const forget = () => {
      job.executions = job.executions.filter((other) => other !== execution);
    };
    const execution: Execution = new Execution(
      name,
      template,
      environment,
      replicaTimeout,
      this.runtime,
      fault,
      forget,
    );
    const ended = job.executions.filter(({ isLive }) => !isLive);
    const tooOld = new Set(ended.slice(0, Math.max(0, ended.length - HISTORY + 1)));
    job.executions = [...job.executions.filter((other) => !tooOld.has(other)), execution];
    this.started.push(template);
    return name;
  }

  find(at: JobPath, name: string): Execution | undefined {
    return this.jobs.get(at.job)?.executions.find((execution) => execution.name === name);
  }

  getExecution(at: JobPath, name: string): Answer {
    const execution = this.find(at, name);
    return execution ? { status: 200, body: viewExecution(at, execution) } : notFound(at, name);
  }

  /** Newest first, as the service lists them. */
  listExecutions(at: JobPath): Answer {
    const job = this.jobs.get(at.job);
    if (!job) return notFound(at);
    return { status: 200, body: { value: job.executions.map((each) => viewExecution(at, each)).toReversed() } };
  }

  async stop(at: JobPath, name: string): Promise<Answer> {
    const execution = this.find(at, name);
    if (!execution) return notFound(at, name);
    await execution.stop();
    return { status: 200 };
  }

  environment(path: string): Answer {
    const workloadProfiles = Object.entries(this.options.profiles).map(([name, workloadProfileType]) => ({
      name,
      workloadProfileType,
    }));
    const properties = { provisioningState: 'Succeeded', workloadProfiles };
    const name = path.split('/').at(-1);
    const { location } = this.options;
    return { status: 200, body: { id: path, name, type: 'Microsoft.App/managedEnvironments', location, properties } };
  }

  usages(quota: keyof AppsOptions['quotas']): Answer {
    const onGpu = quota === 'SubscriptionConsumptionT4Gpus';
    const used = [...this.jobs.values()]
      .filter(
        ({ body }) =>
          onGpu === (this.options.profiles[body.properties.workloadProfileName ?? ''] ?? '').includes('GPU'),
      )
      .flatMap(({ executions }) => executions.filter(({ isLive }) => isLive))
      .reduce((sum, { template }) => sum + (onGpu ? 1 : (template.containers[0]?.resources?.cpu ?? 0)), 0);
    const name = { value: quota, localizedValue: quota };
    return {
      status: 200,
      body: { value: [{ unit: 'Count', currentValue: used, limit: this.options.quotas[quota], name }] },
    };
  }
}
