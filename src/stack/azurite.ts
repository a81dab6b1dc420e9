import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { choosePort, type Part, startOnFreePort, startPart } from './part.js';

const SCRIPT = fileURLToPath(new URL('./azurite-main.js', import.meta.url));
const USUAL_BLOB_PORT = 10_000;

/** Account and key that every Azurite has; published by Microsoft, no secret. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite extends Part {
  connectionString: string;
}

/** Starts Azurite on free ports with its data in `folder`. */
export function startAzurite(folder: string, env: NodeJS.ProcessEnv): Promise<Azurite> {
  return startOnFreePort(async (above) => {
    const { connectionString, start } = await chooseAzurite(undefined, above);
    return { ...(await start(folder, env)), connectionString };
  });
}

/** An Azurite that has its ports but is not started yet, so that what connects to it may start at the same time. */
export interface ChosenAzurite {
  connectionString: string;
  start: (folder: string, env: NodeJS.ProcessEnv, signal?: AbortSignal) => Promise<Part>;
}

/**
 * Chooses the ports of an Azurite: for blobs the one that the user asked for, for queues and tables free ones.
 * @param above how far above the usual ports it looks for free ones.
 * @throws JobError `user` when the port that was asked for is in use.
 */
export async function chooseAzurite(asked: number | undefined, above: number): Promise<ChosenAzurite> {
  const program = 'Azurite (blob storage)';
  const blob = await choosePort(USUAL_BLOB_PORT + above, { port: asked, option: '--azurite-port', program });
  const queue = await choosePort(blob + 1);
  const table = await choosePort(Math.max(blob, queue) + 1);
  const at = (port: number) => `http://127.0.0.1:${port}/${ACCOUNT}`;
  const endpoints = `BlobEndpoint=${at(blob)};QueueEndpoint=${at(queue)};TableEndpoint=${at(table)};`;
  const ports = ['--blobPort', String(blob), '--queuePort', String(queue), '--tablePort', String(table)];
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoints}`,
    start: (folder, env, signal) => {
      const data = ['--location', path.join(folder, 'azurite')];
      return startPart({
        title: 'Azurite',
        script: SCRIPT,
        args: [...ports, ...data, '--skipApiVersionCheck', '--disableTelemetry', '--silent'],
        env,
        logFile: path.join(folder, 'azurite.log'),
        ready: /Table service is successfully listening/,
        signal,
      });
    },
  };
}
