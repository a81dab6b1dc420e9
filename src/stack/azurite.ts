import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Part, startPart } from './part.js';
import { choosePort, startOnFreePort } from './ports.js';

const USUAL_BLOB_PORT = 10_000;

/** Account and key that every Azurite has; published by Microsoft, no secret. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite extends Part {
  connectionString: string;
}

/** Starts Azurite with its data in `folder`. `blobPort` is the port asked for, if any; queue and table take free ones. */
export function startAzurite(folder: string, blobPort: number | undefined, env: NodeJS.ProcessEnv): Promise<Azurite> {
  return startOnFreePort(async () => {
    const { connectionString, start } = await chooseAzurite(blobPort);
    return { ...(await start(folder, env)), connectionString };
  });
}

/** An Azurite that has its ports and is not started yet: what connects to it may start at the same time. */
export interface ChosenAzurite {
  connectionString: string;
  start: (folder: string, env: NodeJS.ProcessEnv, signal?: AbortSignal) => Promise<Part>;
}

/** @throws JobError `user` when the port asked for is in use. */
export async function chooseAzurite(blobPort: number | undefined): Promise<ChosenAzurite> {
  const blob = await choosePort(USUAL_BLOB_PORT, blobPort, 'Azurite (blob storage)', '--azurite-port');
  const queue = await choosePort(blob + 1, undefined, 'Azurite (queues)', '');
  const table = await choosePort(Math.max(blob, queue) + 1, undefined, 'Azurite (tables)', '');
  const at = (port: number) => `http://127.0.0.1:${port}/${ACCOUNT}`;
  const endpoints = `BlobEndpoint=${at(blob)};QueueEndpoint=${at(queue)};TableEndpoint=${at(table)};`;
  return {
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoints}`,
    start: (folder, env, signal) => launch(folder, [blob, queue, table], env, signal),
  };
}

function launch(
  folder: string,
  [blob, queue, table]: [number, number, number],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Part> {
  const ports = ['--blobPort', String(blob), '--queuePort', String(queue), '--tablePort', String(table)];
  const data = ['--location', path.join(folder, 'azurite')];
  return startPart({
    script: fileURLToPath(new URL('./azurite-main.js', import.meta.url)),
    args: [...ports, ...data, '--skipApiVersionCheck', '--disableTelemetry', '--silent'],
    env,
    logFile: path.join(folder, 'azurite.log'),
    ready: /Table service is successfully listening/,
    title: 'Azurite',
    signal,
  });
}
