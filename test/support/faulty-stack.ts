import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import getPort from 'get-port';
import { afterAll, beforeAll } from 'vitest';
import { createJobClient, type JobClient } from '../../src/cli/client/client.js';
import type { Part } from '../../src/stack/part.js';
import type { Storage } from '../../src/storage/storage.js';
import { openAzurite } from './storage.js';
import { startStorageProxy, type StorageProxy } from './storage-proxy.js';

export interface FaultyStack {
  folder: string;
  /** What stands between storage and all of the stack: host, app and scorers. */
  proxy: StorageProxy;
  /** Storage itself, without faults. */
  storage: Storage;
  client: JobClient;
  /** Ends the host's process at once and starts another one. */
  restartHost: () => Promise<void>;
}

const ROOT = path.resolve(import.meta.dirname, '../..');

/** A local stack of the test file's own, whose every request to storage passes a proxy that can spoil it. */
export function useFaultyStack(seed: number, env: NodeJS.ProcessEnv = {}): FaultyStack {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-faulty-'));
  const stack = { folder } as FaultyStack;
  const parts: Part[] = [];
  let host: Part | undefined;
  beforeAll(async () => {
    const [{ startAzurite }, { startPart }] = await Promise.all([
      import('../../dist/stack/azurite.js'),
      import('../../dist/stack/part.js'),
    ]);
    const azurite = await startAzurite(folder, process.env);
    parts.push(azurite);
    stack.proxy = await startStorageProxy(azurite.connectionString, seed);
    stack.storage = openAzurite(azurite.connectionString);
    const port = await getPort();
    const startHost = () =>
      startPart({
        title: 'The host',
        script: path.join(ROOT, 'devhost/dist/main.js'),
        args: [ROOT, '--port', String(port), '--storage-patience', '30'],
        env: {
          ...process.env,
          TEMP_FOLDER: path.join(folder, 'temp'),
          ...env,
          AzureWebJobsStorage: stack.proxy.connectionString,
        },
        logFile: path.join(folder, 'devhost.log'),
        ready: /listening on (http:\/\/\S+)/,
      });
    host = await startHost();
    stack.restartHost = async () => {
      if (host?.pid !== undefined) process.kill(host.pid, 'SIGKILL');
      await host?.stop();
      host = await startHost();
    };
    stack.client = createJobClient(host.ready[1] ?? '', undefined);
  });
  afterAll(async () => {
    await host?.stop();
    await stack.proxy.stop();
    for (const part of parts) await part.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return stack;
}
