import diagnostics from 'node:diagnostics_channel';
import fileSystem from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { lockFolder } from '../processes/folder-lock.js';
import { DISK_FULL, messageOf } from '../job/failure.js';
import { type AzuriteParts, hashOnTheWay, useLargePieces } from './extents.js';
import { findByNameFirst, type Loki } from './find-by-name.js';
import { refuseForeignPages } from './foreign-pages.js';
import { type DatabaseClass, keepJournals } from './journal.js';
import { type Answers, encodeListedNames } from './listed-names.js';

/** Azurite, with its arguments, fast also when it holds many blobs, and with all on disk that it has said yes to. */
const azurite = createRequire(new URL('azurite/azurite.js', import.meta.url));
const loki = azurite('./lokijs.js') as Loki & DatabaseClass;
findByNameFirst(loki);
const journals = keepJournals(loki);
const module = azurite.cache[azurite.resolve('./lokijs.js')];
if (!module) throw new Error('Azurite keeps its data in something other than LokiJS.');
module.exports = journals.loki;
useLargePieces(fileSystem);
const { run, ...parts } = azurite('./azurite.js') as AzuriteParts & { answers: Answers; run: () => void };
hashOnTheWay(parts);
encodeListedNames(parts.answers);
refuseForeignPages();

const STORAGE_IS_FULL = 503;

/** No answer goes out before the change that it tells of is written down; when that cannot be, the answer is another one. */
diagnostics.subscribe('http.server.request.start', (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  const reads = request.method === 'GET' || request.method === 'HEAD';
  const writeHead = response.writeHead.bind(response) as (status: number, ...rest: unknown[]) => ServerResponse;
  response.writeHead = (status: number, ...rest: unknown[]) => {
    if (journals.write() || reads) return writeHead(status, ...rest);
    response.setHeader('x-ms-error-code', DISK_FULL);
    return writeHead(STORAGE_IS_FULL);
  };
});

// Nothing is left to be saved: Azurite's own way to end waits for connections and says goodbye to a pipe that may be closed.
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    journals.write();
    process.exit(0);
  });

/** A command that was killed may leave its Azurite behind for a moment. */
const PREDECESSOR_MS = 10_000;
const folder = process.argv[process.argv.indexOf('--location') + 1] ?? '';
try {
  await mkdir(folder, { recursive: true });
  await lockFolder(folder, PREDECESSOR_MS);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
run();
