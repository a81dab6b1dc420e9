import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { JobError, messageOf } from '../job/failure.js';
import { FolderInUse, type FolderLock, holderOfFolder, lockFolder } from '../processes/folder-lock.js';
import { chooseAzurite } from './azurite.js';
import { startAzureEmulator } from './azure-emulator.js';
import { choosePort, type Part, startOnFreePort, startPart } from './part.js';

const APP_FOLDER = fileURLToPath(new URL('../..', import.meta.url));
/** The app as bundle.mjs has packed it: it is loaded in a third of the time. */
const APP = fileURLToPath(new URL('./app/app.js', import.meta.url));
const DEVHOST = fileURLToPath(new URL('./devhost/main.js', import.meta.url));
const USUAL_PORT = 7071;
const STATE_FILE = 'stack.json';
/** Every two seconds, in NCRONTAB. */
const WATCH = '*/2 * * * * *';

export interface StackOptions {
  /** Where Azurite keeps its data; logs and temporary files go there too. */
  folder: string;
  port?: number;
  azuritePort?: number;
  /** Also runs the emulator of Azure, for jobs with the compute `aci` or `container-apps`. */
  emulateAzure?: boolean;
  /** Looks into the inbox every few seconds, as storage on this machine sends no events. */
  watchInbox?: boolean;
  /** File to which the Functions host appends its spans, one JSON line each; its folder, inside `folder`, is made. */
  spans?: string | undefined;
  env: NodeJS.ProcessEnv;
}

/** Azurite, the local Functions host and, if asked for, the Azure emulator: all of them child processes of this one. */
export interface Stack {
  url: string;
  /** Connection string of Azurite. */
  storage: string;
  /** Address of the Azure emulator, if it runs. */
  azure?: string;
  /** Settles when a part ends by itself: which part, how it ended, and where its log is. */
  ended: Promise<string>;
  /** Stops the Functions host, does what is to be done meanwhile, and starts the host again on the same port. */
  restartHost: (meanwhile: () => Promise<void>) => Promise<void>;
  stop: () => Promise<void>;
}

/**
 * Starts the local stack and writes its address to `stack.json`.
 * @throws JobError `user` when another stack runs on the folder, a port that was asked for is taken or the folder cannot be written.
 */
export async function startStack({
  folder,
  port,
  azuritePort,
  emulateAzure,
  watchInbox,
  spans,
  env,
}: StackOptions): Promise<Stack> {
  // A stack that runs on the folder is named before the port that it has.
  if (!existsSync(folder)) {
    if (azuritePort !== undefined) await chooseAzurite(azuritePort, 0);
    if (port !== undefined) await chooseHostPort(port, 0);
  }
  const temp = path.join(folder, 'temp');
  const lock = await takeFolder(folder, temp);
  const parts: Part[] = [];
  const stopParts = async () => {
    for (const part of parts) await part.stop();
  };
  try {
    if (spans !== undefined)
      await mkdir(path.dirname(spans), { recursive: true }).catch((cause: unknown) => refuseFolder(folder, cause));
    const azure = emulateAzure === true ? await startAzureEmulator(folder, env) : undefined;
    if (azure) parts.push(azure);
    const watch = watchInbox === true ? { INBOX_SWEEP: WATCH } : {};
    const settings = { TEMP_FOLDER: temp, ...watch, ...env, STORAGE_FOLDER: folder, ...azure?.settings };
    const { host, azurite, storage } = await startOnFreePort((above) =>
      startPair(folder, { port, azuritePort, above, spans, settings }),
    );
    parts.unshift(host);
    parts.push(azurite);
    const url = host.ready[1] ?? '';
    const state = JSON.stringify({ url, pid: process.pid } satisfies State);
    await writeFile(path.join(folder, STATE_FILE), state).catch((cause: unknown) => refuseFolder(folder, cause));
    let tell: (ended: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => {
      tell = resolve;
    });
    for (const part of parts) void part.ended.then(tell);
    return {
      url,
      storage,
      azure: azure?.url,
      ended,
      restartHost: async (meanwhile) => {
        await parts[0]?.stop();
        await meanwhile();
        const again = await startHost(folder, {
          port: Number(new URL(url).port),
          spans,
          env: { ...settings, AzureWebJobsStorage: storage },
        });
        void again.ended.then(tell);
        parts[0] = again;
      },
      stop: async () => {
        await rm(path.join(folder, STATE_FILE), { force: true });
        await stopParts();
        await rm(temp, { recursive: true, force: true });
        await lock.release();
      },
    };
  } catch (error) {
    await stopParts();
    await lock.release();
    throw error;
  }
}

interface Pair {
  host: Part;
  azurite: Part;
  storage: string;
}

/** Starts storage and the host at the same time; the host waits for storage. When one of them cannot start, neither runs. */
async function startPair(
  folder: string,
  {
    port,
    azuritePort,
    above,
    spans,
    settings,
  }: { port?: number; azuritePort?: number; above: number; spans?: string | undefined; settings: NodeJS.ProcessEnv },
): Promise<Pair> {
  const chosen = await chooseAzurite(azuritePort, above);
  const storage = chosen.connectionString;
  const hostPort = await chooseHostPort(port, above);
  const abort = new AbortController();
  const env = { ...settings, AzureWebJobsStorage: storage };
  const start = () => startHost(folder, { port: hostPort, spans, env }, abort.signal);
  const starting = [start(), chosen.start(folder, settings, abort.signal)] as const;
  // A host that finds another stack's Azurite on one of the ports fails, at once or when that one ends. Either its own Azurite then
  // fails too, and that error says why, or it has the ports by now and the host can start.
  const hostOrReason = starting[0].catch(async (error: unknown) => {
    await starting[1];
    if (!/Storage cannot be reached|RestError/.test(messageOf(error))) throw error;
    return start();
  });
  try {
    const [host, azurite] = await Promise.all([hostOrReason, starting[1]]);
    return { host, azurite, storage };
  } catch (error) {
    abort.abort();
    for (const part of await Promise.allSettled(starting)) if (part.status === 'fulfilled') await part.value.stop();
    throw error;
  }
}

const chooseHostPort = (asked: number | undefined, above: number) =>
  choosePort(USUAL_PORT + above, { port: asked, option: '--port', program: 'the local Functions host' });

/** How long the host waits for a storage that is starting on a busy machine. */
const STORAGE_PATIENCE_SECONDS = 30;

/** Bytes; files go to storage directly, and the names of a thousand images, the longest body, fit in. */
const BODY_LIMIT = 4 * 1024 * 1024;

function startHost(
  folder: string,
  { port, spans, env }: { port: number; spans: string | undefined; env: NodeJS.ProcessEnv },
  signal?: AbortSignal,
): Promise<Part> {
  const patience = String(STORAGE_PATIENCE_SECONDS);
  const args = [APP_FOLDER, '--main', APP, '--port', String(port), '--storage-patience', patience];
  return startPart({
    title: 'The local Functions host',
    script: DEVHOST,
    args: spans === undefined ? args : [...args, '--spans', spans],
    env: { FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: String(BODY_LIMIT), ...env },
    logFile: path.join(folder, 'devhost.log'),
    ready: /listening on (http:\/\/\S+)/,
    signal,
  });
}

/** Which jobs the command line has started and not saved yet. */
export const SCORES = 'scores';
/** Where its uploads of large files were going. */
export const UPLOADS = 'uploads';

/** What a stack puts into its folder, and, as `job-N`, the folders of those that commands start for one job. */
const OWN_NAMES =
  /^(azurite|temp|telemetry|stack\.json|(azurite|devhost|azure-emulator)\.log|scores|uploads|lock-\d+|job-\d+)$/;

export const isOfStack = (name: string) => OWN_NAMES.test(name);

/** Whether nothing but a stack has put anything into a folder. */
export const isOnlyOfStack = async (folder: string) => (await readdir(folder).catch(() => [''])).every(isOfStack);

/** Whether the folder `temp` was made by a stack: one that a user has made is no stack's to remove. */
export async function isOwnTemp(folder: string): Promise<boolean> {
  const [beside, inside] = await Promise.all([readdir(folder), readdir(path.join(folder, 'temp')).catch(() => [])]);
  return beside.includes('azurite') || inside.length === 0;
}

/** Makes the folder, has it for this process alone, and removes what a stack that was killed left for the moment. */
async function takeFolder(folder: string, temp: string): Promise<FolderLock> {
  try {
    await makeFolder(folder);
    if (!(await isOwnTemp(folder)))
      throw new JobError(
        'user',
        `The folder ${folder} has a folder "temp" that is no local stack's; name another folder with --data.`,
      );
    const lock = await lockFolder(folder);
    await rm(path.join(folder, STATE_FILE), { force: true });
    await rm(temp, { recursive: true, force: true });
    await makeFolder(temp);
    return lock;
  } catch (cause) {
    if (cause instanceof JobError) throw cause;
    if (!(cause instanceof FolderInUse)) refuseFolder(folder, cause);
    const { pid } = cause.holder;
    const state = await readState(folder);
    const use =
      state?.pid === pid
        ? `The local stack runs already at ${state.url} (process ${pid}); use it, or stop it with Ctrl-C where it was started.`
        : `Another local stack is just starting or ending on ${folder} (process ${pid}); use it, or name another folder with --data.`;
    throw new JobError('user', use, { cause });
  }
}

/**
 * Makes a folder and those above it. `mkdir` with `recursive` does the same, but in Node 20 it never ends below /proc, where no folder can
 * be made and the error is ENOENT.
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || path.dirname(folder) === folder) throw error;
    await makeFolder(path.dirname(folder));
    await mkdir(folder);
  }
}

function refuseFolder(folder: string, cause: unknown): never {
  throw new JobError(
    'user',
    `The folder ${folder} for the local stack's data cannot be written (${messageOf(cause)}); name another one with --data.`,
    { cause },
  );
}

/** A busy machine answers late; one on which no host listens refuses at once. */
const STATUS_PATIENCE_MS = 30_000;

/** The stack that runs on this folder's data, if one does. */
export async function findStack(folder: string): Promise<State | undefined> {
  try {
    const [state, holder] = await Promise.all([readState(folder), holderOfFolder(folder)]);
    if (!state || state.pid !== holder?.pid) return undefined;
    const signal = AbortSignal.timeout(STATUS_PATIENCE_MS);
    const answer = await fetch(new URL('/admin/host/status', state.url), { signal });
    return answer.ok ? state : undefined;
  } catch {
    // No folder or no answer: in both cases no stack runs.
    return undefined;
  }
}

/** What `stack.json` says about the stack that runs or ran on the folder. */
interface State {
  url: string;
  pid: number;
}

const readState = (folder: string) =>
  readFile(path.join(folder, STATE_FILE), 'utf8')
    .then((text) => JSON.parse(text) as State)
    .catch(() => undefined);
