import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Child, type Ended, startAttached } from '../../processes/child-process.js';
import { describePlace } from '../../container-contract/environment.js';
import { JobError } from '../../job/failure.js';
import type { ComputeProvider, LaunchRequest, Observation } from '../provider.js';
import { preflightLocal } from './preflight.js';

/** Bytes of output kept per container; the scorer uploads its full log itself. */
const LOG_LIMIT = 64 * 1024;

interface LocalContainer {
  request: LaunchRequest;
  child: Child;
  log: string;
  startedAt: string;
  ended?: Ended;
}

const SCORER = fileURLToPath(new URL('../../scorer/bundle/main.js', import.meta.url));

/**
 * Runs each container as a child process of the app. It knows its containers only while the app lives, and they live no
 * longer: after a restart of the app an attempt is `lost` and the next one scores what is missing.
 * @param inherited what any child process of the app gets of its environment; never the app's secrets.
 */
export function createLocalCompute(inherited: NodeJS.ProcessEnv): ComputeProvider {
  const containers = new Map<string, LocalContainer>();
  const cores = os.availableParallelism();
  return {
    poll: { minSeconds: 0.3, maxSeconds: 5 },
    preflight: (request) => Promise.resolve(preflightLocal(request, cores)),
    launch: async (request) => {
      if (containers.has(request.name)) return;
      containers.set(request.name, await start(request, inherited, cores));
    },
    observe: (name) => {
      const container = containers.get(name);
      const times = container ? { times: { queued: container.startedAt } } : {};
      return Promise.resolve({ ...describe(container), ...times });
    },
    logs: (name) => Promise.resolve(containers.get(name)?.log ?? ''),
    remove: async (name) => {
      const container = containers.get(name);
      if (container && !container.ended) {
        container.child.kill();
        await container.child.ended;
      }
      containers.delete(name);
    },
    list: () =>
      Promise.resolve(
        [...containers.values()].map(({ request: { name, jobId, deadline } }) => ({ name, jobId, deadline })),
      ),
  };
}

async function start(request: LaunchRequest, inherited: NodeJS.ProcessEnv, cores: number): Promise<LocalContainer> {
  const place = describePlace({ threads: cores / request.parallel });
  const env = { ...inherited, ...place, ...request.environment };
  const startedAt = new Date().toISOString();
  const child = await startAttached(SCORER, [], { env }).catch((cause: unknown) => {
    throw new JobError('platform', `The scorer process could not be started: ${String(cause)}.`, { cause });
  });
  const container: LocalContainer = { request, child, log: '', startedAt };
  const keep = (chunk: Buffer) => {
    container.log = (container.log + chunk.toString('utf8')).slice(-LOG_LIMIT);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  void child.ended.then((ended) => Object.assign(container, { ended }));
  return container;
}

function describe(container: LocalContainer | undefined): Observation {
  if (!container) return { state: 'lost', blame: 'platform', reason: 'the app was restarted while the scorer ran' };
  if (!container.ended) return { state: 'running' };
  const { code, signal } = container.ended;
  if (code === 0) return { state: 'succeeded', exitCode: 0 };
  if (signal !== null)
    return {
      state: 'failed',
      exitCode: 128 + (os.constants.signals[signal] ?? 0),
      reason: `the scorer was killed by ${signal}`,
    };
  return { state: 'failed', exitCode: code ?? 1, reason: `the scorer ended with exit code ${code}` };
}
