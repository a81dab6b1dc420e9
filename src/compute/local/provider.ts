import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Child, type Ended, startAttached } from '../../processes/child-process.js';
import { describePlace } from '../../container-contract/environment.js';
import { Printout } from '../../container-contract/printout.js';
import { JobError } from '../../job/failure.js';
import type { ComputeProvider, LaunchRequest, Observation } from '../provider.js';
import { preflightLocal } from './preflight.js';
import { Turns } from './turns.js';

interface LocalContainer {
  request: LaunchRequest;
  child: Child;
  output: Printout;
  startedAt: string;
  /** Cores that it was given. */
  threads: number;
  ended?: Ended & { at: string };
}

const SCORER = fileURLToPath(new URL('../../scorer/bundle/main.js', import.meta.url));

/**
 * Runs each container as a child process of the app, no more at once than the machine has cores, whichever jobs they are of. It knows
 * its containers only while the app lives, and they live no longer: after a restart of the app an attempt is `lost` and the next one
 * scores what is missing.
 * @param inherited what any child process of the app gets of its environment; never the app's secrets.
 */
export function createLocalCompute(inherited: NodeJS.ProcessEnv): ComputeProvider {
  const containers = new Map<string, LocalContainer>();
  const cores = os.availableParallelism();
  const turns = new Turns(cores);
  const launches = new Map<string, Promise<void>>();
  const launch = async (request: LaunchRequest): Promise<void> => {
    const { name, jobId, parallel, isExtra = false } = request;
    const threads = await turns.take({ name, jobId, cores: Math.max(1, Math.floor(cores / parallel)) }, isExtra);
    if (threads === 0) throw waitsForItsTurn(cores, turns.pauseFor(name));
    try {
      await request.confirm?.();
      const container = await start(request, inherited, threads);
      containers.set(name, container);
      void container.child.ended.then(() => turns.release(name));
    } catch (error) {
      turns.release(name);
      throw error;
    }
  };
  return {
    endsWithApp: true,
    // After a restart of the app a batch stands still until the next look at it.
    poll: { minSeconds: 0.3, maxSeconds: 2 },
    preflight: (request) => Promise.resolve(preflightLocal(request, cores)),
    launch: async (request) => {
      const { name } = request;
      if (containers.has(name)) return;
      const launching = launches.get(name) ?? launch(request).finally(() => launches.delete(name));
      launches.set(name, launching);
      await launching;
    },
    observe: (name) => {
      const container = containers.get(name);
      return Promise.resolve({ ...describe(container), ...(container && whereAndWhen(container)) });
    },
    logs: (name) => Promise.resolve(containers.get(name)?.output.lines() ?? []),
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

const waitsForItsTurn = (cores: number, retryAfterSeconds: number) =>
  new JobError(
    'platform',
    `Other containers use ${cores === 1 ? 'the one core' : `all ${cores} cores`} of this machine; the batch waits for its turn.`,
    { retryAfterSeconds, inLine: true, noRoom: true },
  );

async function start(request: LaunchRequest, inherited: NodeJS.ProcessEnv, threads: number): Promise<LocalContainer> {
  const place = describePlace({ threads });
  const env = { ...inherited, ...place, ...request.environment };
  const startedAt = new Date().toISOString();
  const child = await startAttached(SCORER, [], { env }).catch((cause: unknown) => {
    throw new JobError('platform', `The scorer process could not be started: ${String(cause)}.`, { cause });
  });
  const output = new Printout();
  const container: LocalContainer = { request, child, output, startedAt, threads };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream]
      .setEncoding('utf8')
      .on('data', (piece: string) => output.add(piece, stream, new Date().toISOString()));
  void child.ended.then((ended) =>
    Object.assign(container, { ended: { ...ended, at: new Date().toISOString() } satisfies LocalContainer['ended'] }),
  );
  return container;
}

const whereAndWhen = ({ startedAt, threads, ended }: LocalContainer): Partial<Observation> => ({
  times: { queued: startedAt },
  ...(ended && { endedAt: ended.at }),
  place: { cpus: threads },
});

function describe(container: LocalContainer | undefined): Observation {
  if (!container) {
    const reason = 'the app was restarted while the scorer ran';
    return { state: 'lost', blame: 'platform', reason, isOver: true };
  }
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
