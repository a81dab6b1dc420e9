import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import getPort from 'get-port';
import { createJobClient, type JobClient } from '../../src/cli/client/client.js';
import type { Part } from '../../src/stack/part.js';
import type { Storage } from '../../src/storage/storage.js';
import { killNow } from './processes.js';
import { openAzurite } from './storage.js';
import { startStorageProxy, type StorageProxy } from './storage-proxy.js';
import { until } from './wait.js';

export type PartName = 'host' | 'azurite' | 'emulator';

export interface RestartableStack {
  /** What stands between storage and all of the stack: host, app and scorers. */
  proxy: StorageProxy;
  /** Storage itself, without faults. */
  storage: Storage;
  client: JobClient;
  /** Address of the Azure emulator; '' without one. */
  azure: string;
  /** Parts that ended by themselves: which, how, and where their logs are. */
  ended: string[];
  /** Ends the process of a part at once, and starts another one in its place after a pause. */
  restart: (part: PartName, pauseMs?: number) => Promise<void>;
  stop: () => Promise<void>;
}

const ROOT = path.resolve(import.meta.dirname, '../..');
const DEVHOST = path.join(ROOT, 'dist/stack/devhost/main.js');
const EMULATOR = path.join(ROOT, 'azure-emulator/dist/main.js');
const SCORER = path.join(ROOT, 'dist/scorer/bundle/main.js');

/** A local stack whose every request to storage passes a proxy that can spoil it, and whose parts can be killed one by one. */
export async function startRestartableStack({
  folder,
  seed,
  env,
  emulateAzure = false,
}: {
  folder: string;
  seed: number;
  env: NodeJS.ProcessEnv;
  emulateAzure?: boolean;
}): Promise<RestartableStack> {
  const [{ chooseAzurite }, { startAzureEmulator }, { startOnFreePort, startPart }, { attachedNode }] =
    await Promise.all([
      import('../../dist/stack/azurite.js'),
      import('../../dist/stack/azure-emulator.js'),
      import('../../dist/stack/part.js'),
      import('../../dist/processes/child-process.js'),
    ]);
  const azurite = await startOnFreePort(async (above) => {
    const chosen = await chooseAzurite(undefined, above);
    return { ...chosen, part: await chosen.start(folder, env) };
  });
  const proxy = await startStorageProxy(azurite.connectionString, seed);
  const emulator = emulateAzure ? await startAzureEmulator(folder, env) : undefined;
  const port = await getPort();
  const hostEnv = {
    TEMP_FOLDER: path.join(folder, 'temp'),
    ...env,
    ...emulator?.settings,
    STORAGE_FOLDER: folder,
    AzureWebJobsStorage: proxy.connectionString,
  };
  const starts: Record<PartName, () => Promise<Part>> = {
    host: () =>
      startPart({
        title: 'The host',
        script: DEVHOST,
        args: [ROOT, '--port', String(port), '--storage-patience', '30'],
        env: hostEnv,
        logFile: path.join(folder, 'devhost.log'),
        ready: /listening on (http:\/\/\S+)/,
      }),
    azurite: () => azurite.start(folder, env),
    emulator: () =>
      startPart({
        title: 'The Azure emulator',
        script: EMULATOR,
        args: [new URL(emulator?.url ?? '').port, process.execPath, ...attachedNode(), SCORER],
        env,
        logFile: path.join(folder, 'azure-emulator.log'),
        ready: /listening on (http:\/\/\S+)/,
      }),
  };
  const parts = new Map<PartName, Part>();
  const ended: string[] = [];
  const keep = (name: PartName, part: Part) => {
    parts.set(name, part);
    void part.ended.then((how) => ended.push(how));
  };
  keep('azurite', azurite.part);
  if (emulator) keep('emulator', emulator);
  keep('host', await starts.host());
  return {
    proxy,
    storage: openAzurite(azurite.connectionString),
    client: createJobClient(`http://127.0.0.1:${port}`, undefined),
    azure: emulator?.url ?? '',
    ended,
    restart: async (name, pauseMs = 0) => {
      const part = parts.get(name);
      // It is told to end first, so that its end is no surprise.
      const stopping = part?.stop();
      killNow(part?.pid);
      await stopping;
      await pause(pauseMs);
      const again = () => starts[name]().catch(() => undefined);
      keep(name, await until(`the start of the ${name}`, again, 250));
    },
    stop: async () => {
      for (const name of ['host', 'emulator', 'azurite'] as const) await parts.get(name)?.stop();
      await proxy.stop();
    },
  };
}
