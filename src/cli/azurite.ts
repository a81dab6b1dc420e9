import { createRequire } from 'node:module';
import path from 'node:path';
import { type Child, startChild } from './child.js';
import { choosePort, startOnFreePort } from './ports.js';

const USUAL_BLOB_PORT = 10_000;

/** Account and key that every Azurite has; published by Microsoft, no secret. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite {
  child: Child;
  connectionString: string;
}

/** Starts Azurite with its data in `folder`. `blobPort` is the port asked for, if any; queue and table take free ones. */
export function startAzurite(folder: string, blobPort: number | undefined, env: NodeJS.ProcessEnv): Promise<Azurite> {
  return startOnFreePort(() => launch(folder, blobPort, env));
}

async function launch(folder: string, blobPort: number | undefined, env: NodeJS.ProcessEnv): Promise<Azurite> {
  const blob = await choosePort(USUAL_BLOB_PORT, blobPort, 'Azurite (blob storage)', '--azurite-port');
  const queue = await choosePort(blob + 1, undefined, 'Azurite (queues)', '');
  const table = await choosePort(Math.max(blob, queue) + 1, undefined, 'Azurite (tables)', '');
  const ports = ['--blobPort', String(blob), '--queuePort', String(queue), '--tablePort', String(table)];
  const child = await startChild({
    script: createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'),
    args: [
      ...ports,
      '--location',
      path.join(folder, 'azurite'),
      '--skipApiVersionCheck',
      '--disableTelemetry',
      '--silent',
    ],
    env,
    logFile: path.join(folder, 'azurite.log'),
    ready: /Table service is successfully listening/,
    title: 'Azurite',
  });
  const at = (port: number) => `http://127.0.0.1:${port}/${ACCOUNT}`;
  const endpoints = `BlobEndpoint=${at(blob)};QueueEndpoint=${at(queue)};TableEndpoint=${at(table)};`;
  return {
    child,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};${endpoints}`,
  };
}
