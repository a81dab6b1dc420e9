import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { JobError, messageOf } from '../job/failure.js';
import { chooseAzurite } from './azurite.js';
import { startAzureEmulator } from './azure-emulator.js';
import { type Part, startPart } from './part.js';
import { makeFolder } from './make-folder.js';
import { choosePort, startOnFreePort } from './ports.js';

const APP_FOLDER = fileURLToPath(new URL('../..', import.meta.url));
const DEVHOST = path.join(APP_FOLDER, 'devhost/dist/main.js');
const USUAL_PORT = 7071;
const STATE_FILE = 'stack.json';

export interface StackOptions {
  /** Where Azurite keeps its data, and logs and temporary files stand. */
  folder: string;
  port?: number;
  azuritePort?: number;
  /** Also runs the emulator of Azure, for jobs with the compute `aci` or `container-apps`. */
  emulateAzure?: boolean;
  env: NodeJS.ProcessEnv;
}

/** Azurite and the local Functions host, and the Azure emulator if asked for, all child processes of this one. */
export interface Stack {
  url: string;
  storage: string;
  /** Address of the Azure emulator, if it runs. */
  azure?: string;
  /** Settles when a part ends by itself: which, how, and where its log is. */
  ended: Promise<string>;
  stop: () => Promise<void>;
}

/**
 * Starts the local stack and says in `stack.json` where it is.
 * @throws JobError `user` when a port that was asked for is taken or the folder cannot be written.
 */
export async function startStack({ folder, port, azuritePort, emulateAzure, env }: StackOptions): Promise<Stack> {
  const temp = path.join(folder, 'temp');
  await prepareFolder(folder, temp);
  const parts: Part[] = [];
  try {
    const azure = emulateAzure === true ? await startAzureEmulator(folder, env) : undefined;
    if (azure) parts.push(azure);
    const settings = { TEMP_FOLDER: temp, ...env, ...azure?.settings };
    const { host, azurite, storage } = await startOnFreePort(() => startPair(folder, { port, azuritePort, settings }));
    parts.unshift(host);
    parts.push(azurite);
    const url = host.ready[1] ?? '';
    const state = JSON.stringify({ url, pid: process.pid });
    await writeFile(path.join(folder, STATE_FILE), state).catch((cause: unknown) => refuseFolder(folder, cause));
    const ended = Promise.race(parts.map((part) => part.ended));
    const stop = () => stopStack(folder, parts);
    return { url, storage, azure: azure?.settings.ACI_ENDPOINT, ended, stop };
  } catch (error) {
    for (const part of parts) await part.stop();
    throw error;
  }
}

interface Pair {
  host: Part;
  azurite: Part;
  storage: string;
}

/** Starts storage and the host at the same time; the host waits for storage. When one cannot start, neither runs. */
async function startPair(
  folder: string,
  { port, azuritePort, settings }: { port?: number; azuritePort?: number; settings: NodeJS.ProcessEnv },
): Promise<Pair> {
  const chosen = await chooseAzurite(azuritePort);
  const storage = chosen.connectionString;
  const abort = new AbortController();
  const starting = [
    startHost(folder, port, { ...settings, AzureWebJobsStorage: storage }, abort.signal),
    chosen.start(folder, settings, abort.signal),
  ] as const;
  try {
    const [host, azurite] = await Promise.all(starting);
    return { host, azurite, storage };
  } catch (error) {
    abort.abort();
    for (const part of await Promise.allSettled(starting)) if (part.status === 'fulfilled') await part.value.stop();
    throw error;
  }
}

/** How long the host waits for a storage that is starting on a busy machine. */
const STORAGE_PATIENCE_SECONDS = 30;

async function startHost(
  folder: string,
  askedPort: number | undefined,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Part> {
  const port = await choosePort(USUAL_PORT, askedPort, 'the local Functions host', '--port');
  return startPart({
    script: DEVHOST,
    args: ['--app', APP_FOLDER, '--port', String(port), '--storage-patience', String(STORAGE_PATIENCE_SECONDS)],
    env,
    logFile: path.join(folder, 'devhost.log'),
    ready: /listening on (http:\/\/\S+)/,
    title: 'The local Functions host',
    signal,
  });
}

async function prepareFolder(folder: string, temp: string): Promise<void> {
  try {
    await rm(temp, { recursive: true, force: true });
    await makeFolder(temp);
  } catch (cause) {
    refuseFolder(folder, cause);
  }
}

function refuseFolder(folder: string, cause: unknown): never {
  throw new JobError(
    'user',
    `The folder ${folder} for the local stack's data cannot be written (${messageOf(cause)}); name another one with --data.`,
    { cause },
  );
}

async function stopStack(folder: string, parts: Part[]): Promise<void> {
  for (const part of parts) await part.stop();
  await rm(path.join(folder, STATE_FILE), { force: true });
  await rm(path.join(folder, 'temp'), { recursive: true, force: true });
}

/** URL of the stack that runs on this folder's data, or undefined. */
export async function findStack(folder: string): Promise<{ url: string; pid: number } | undefined> {
  try {
    const state = JSON.parse(await readFile(path.join(folder, STATE_FILE), 'utf8')) as { url: string; pid: number };
    if (!isAlive(state.pid)) return undefined;
    const answer = await fetch(new URL('/admin/host/status', state.url), { signal: AbortSignal.timeout(2000) });
    return answer.ok ? state : undefined;
  } catch {
    // No file, no such process or no answer: in each case no stack runs.
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process refuses the signal, and lives.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
