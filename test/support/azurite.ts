import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import getPort from 'get-port';

/** The account name and key every Azurite has; documented by Microsoft, no secret. */
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/** Starts an Azurite of its own on free ports and a temporary folder. */
export async function startAzurite(): Promise<{ connectionString: string; folder: string; stop: () => Promise<void> }> {
  const [blob, queue, table] = [await getPort(), await getPort(), await getPort()];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'azurite-'));
  const main = createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js');
  const ports = ['--blobPort', String(blob), '--queuePort', String(queue), '--tablePort', String(table)];
  const child = spawn(
    process.execPath,
    [main, ...ports, '--location', folder, '--skipApiVersionCheck', '--disableTelemetry'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let listening = 0;
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`Azurite ended with code ${code}`)));
    child.stdout.on('data', (text: Buffer) => {
      listening += text.toString().split('successfully listen').length - 1;
      if (listening === 3) resolve();
    });
  });
  child.stdout.resume();
  const at = (port: number) => `http://127.0.0.1:${port}/${ACCOUNT}`;
  return {
    folder,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${at(blob)};QueueEndpoint=${at(queue)};TableEndpoint=${at(table)};`,
    stop: async () => {
      child.removeAllListeners('exit');
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
