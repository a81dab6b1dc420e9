import { readFile, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { messageOf, UserFault } from './log.js';
import type { BlobOptions } from './triggers/blob-triggers.js';
import type { QueueOptions } from './triggers/queue-listener.js';
import type { MessageEncoding } from './triggers/queue-message.js';

type Section = Record<string, unknown>;

/** What the host takes from the app's host.json and settings. */
export interface HostSettings {
  hubName: string;
  /** Connection string of the storage that keeps the hub. */
  storage: string;
  routePrefix: string;
  maxActivities: number;
  maxOrchestrators: number;
  /** How many control queues the hub has. */
  partitionCount: number;
  /** The longest pause between two looks into empty control queues, in milliseconds. */
  maxQueuePollingInterval: number;
  queues: QueueOptions & { messageEncoding: MessageEncoding };
  blobs: BlobOptions;
  /** How long an invocation may take; undefined for as long as it likes. */
  functionTimeout: FunctionTimeout | undefined;
}

/** Milliseconds, and the text that host.json gives them. */
export interface FunctionTimeout {
  ms: number;
  text: string;
}

const STORAGE_SETTING = 'AzureWebJobsStorage';

/**
 * Copies `Values` of local.settings.json into the environment; what the environment already has wins. `storage`, a connection string or
 * the name of a setting that holds one, becomes AzureWebJobsStorage, for the hub and for the app's own code. Returns the port that
 * `Host.LocalHttpPort` names, if it does.
 * @throws UserFault for a folder that does not exist, and for settings that the host cannot use.
 */
export async function applySettings(folder: string, storage?: string): Promise<{ port: number | undefined }> {
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new UserFault(`There is no folder ${folder}: name the folder of a Functions app.`);
  const name = 'local.settings.json';
  const local = asSection(await readJson(path.join(folder, name)), name) ?? {};
  const values = Object.entries(asSection(local['Values'], `Values in ${name}`) ?? {});
  if (local['IsEncrypted'] === true && values.length > 0)
    throw new UserFault(`The values in ${name} are encrypted: run "func settings decrypt" in ${folder}.`);
  for (const [key, value] of values) process.env[key] ??= String(value);

  const runtime = process.env['FUNCTIONS_WORKER_RUNTIME'] || 'node';
  if (runtime !== 'node')
    throw new UserFault(`FUNCTIONS_WORKER_RUNTIME is '${runtime}': this host runs apps that are written for Node.`);
  if (storage !== undefined) process.env[STORAGE_SETTING] = connectionOf(storage);
  const port = asSection(local['Host'], `Host in ${name}`)?.['LocalHttpPort'];
  if (port === undefined) return { port: undefined };
  if (!isPort(port))
    throw new UserFault(
      `Host.LocalHttpPort in ${name} is ${JSON.stringify(port)}: it must be a number from 0 to 65535.`,
    );
  return { port };
}

export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535;
}

/** The name of a setting has no equals sign, and every connection string has one. */
function connectionOf(storage: string): string {
  if (storage.includes('=')) return storage;
  const value = process.env[storage];
  if (!value)
    throw new UserFault(
      `--storage names the setting '${storage}', which is not set: give it in the environment or local.settings.json, or give a connection string.`,
    );
  return value;
}

/**
 * Reads host.json. `hub` replaces the name of the hub. Limits default to ten per core, as in Azure outside the Consumption plan.
 * @throws UserFault when the file is missing or says something the host cannot use.
 */
export async function readHostSettings(folder: string, hub?: string): Promise<HostSettings> {
  const file = path.join(folder, 'host.json');
  const host = asSection(await readJson(file), 'host.json');
  if (!host) throw new UserFault(`There is no ${file}: name the folder of a Functions app.`);
  if (host['version'] !== '2.0') {
    const found = host['version'] === undefined ? 'missing' : JSON.stringify(host['version']);
    throw new UserFault(`The version in ${file} is ${found}: it must be "2.0".`);
  }
  const extensions = asSection(host['extensions'], 'extensions in host.json');
  const http = asSection(extensions?.['http'], 'extensions.http in host.json');
  const durable = asSection(extensions?.['durableTask'], 'extensions.durableTask in host.json');
  const provider = asSection(durable?.['storageProvider'], 'extensions.durableTask.storageProvider in host.json');
  const perCore = 10 * os.availableParallelism();
  return {
    hubName: hub === undefined ? hubName(text(durable, 'hubName')) : checkedHub(hub, '--hub'),
    storage: hubStorage(provider),
    routePrefix: text(http, 'routePrefix') ?? 'api',
    maxActivities: whole(durable, 'maxConcurrentActivityFunctions', perCore),
    maxOrchestrators: whole(durable, 'maxConcurrentOrchestratorFunctions', perCore),
    partitionCount: whole(provider, 'partitionCount', 4, { max: 16 }),
    maxQueuePollingInterval: Math.min(
      duration(provider, 'maxQueuePollingInterval', '00:00:30', { min: 50 }),
      LONGEST_CONTROL_PAUSE_MS,
    ),
    queues: queueOptions(asSection(extensions?.['queues'], 'extensions.queues in host.json')),
    blobs: blobOptions(asSection(extensions?.['blobs'], 'extensions.blobs in host.json')),
    functionTimeout: functionTimeout(host),
  };
}

/** In Azure it is half a minute; this host's own messages never go through the queues, and whoever clicks waits for an answer. */
const LONGEST_CONTROL_PAUSE_MS = 4000;

/** A host in Azure looks into an empty queue once a minute at least; in development, and here, every two seconds. */
const LONGEST_PAUSE = '00:00:02';

/** Azure's messages come back ten minutes after their host died; nobody waits that long on a laptop. */
const LEASE_SECONDS = 30;

/** Defaults and bounds are those of the Storage extension (QueuesOptions.cs). */
function queueOptions(queues: Section | undefined): HostSettings['queues'] {
  const encoding = (text(queues, 'messageEncoding') ?? 'base64').toLowerCase();
  if (encoding !== 'base64' && encoding !== 'none')
    throw new UserFault(`messageEncoding in host.json is "${encoding}": it must be "base64" or "none".`);
  const batchSize = whole(queues, 'batchSize', 16, { max: 32 });
  return {
    messageEncoding: encoding,
    batchSize,
    newBatchThreshold: whole(queues, 'newBatchThreshold', Math.floor(batchSize / 2), { min: 0 }),
    visibilityTimeout: duration(queues, 'visibilityTimeout', '00:00:00', { max: 7 * 86_400_000 }),
    maxDequeueCount: whole(queues, 'maxDequeueCount', 5),
    maxPollingInterval: duration(queues, 'maxPollingInterval', LONGEST_PAUSE, { min: 100 }),
    lease: 1000 * secondsOf('DEVHOST_QUEUE_LEASE_SECONDS', LEASE_SECONDS),
  };
}

/** Azure looks into a container every ten seconds. */
const POLL_SECONDS = 2;

/** Defaults are those of the Storage extension (BlobsOptions.cs). */
function blobOptions(blobs: Section | undefined): BlobOptions {
  return {
    maxDegreeOfParallelism: whole(blobs, 'maxDegreeOfParallelism', 8 * os.availableParallelism()),
    poisonBlobThreshold: whole(blobs, 'poisonBlobThreshold', 5),
    pollInterval: 1000 * secondsOf('DEVHOST_BLOB_POLL_SECONDS', POLL_SECONDS),
  };
}

function secondsOf(setting: string, usual: number): number {
  const value = Number(process.env[setting] || usual);
  if (value > 0 && value <= 3600) return value;
  throw new UserFault(`${setting} is '${process.env[setting]}': it must be a number of seconds, 3600 at most.`);
}

interface Bounds {
  min?: number;
  max?: number;
}

function whole(section: Section | undefined, name: string, usual: number, { min = 1, max }: Bounds = {}): number {
  const configured = section?.[name];
  if (configured === undefined) return usual;
  const value = Number(configured);
  if (Number.isInteger(value) && value >= min && value <= (max ?? value)) return value;
  const allowed = max === undefined ? `${min} or more` : `${min} to ${max}`;
  throw new UserFault(`${name} in host.json is ${JSON.stringify(configured)}: it must be a whole number, ${allowed}.`);
}

/** A time span as .NET writes it, `[days.]hours:minutes:seconds[.fraction]`, in milliseconds. */
function duration(section: Section | undefined, name: string, usual: string, { min = 0, max }: Bounds = {}): number {
  const configured = section?.[name];
  const written = typeof configured === 'string' ? configured : configured === undefined ? usual : '';
  const parts = /^(?:(\d+)\.)?(\d{1,2}):([0-5]?\d):([0-5]?\d(?:\.\d{1,7})?)$/.exec(written);
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts?.slice(1).map((part) => Number(part ?? 0)) ?? [];
  const value = Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000);
  if (parts && hours < 24 && value >= min && value <= (max ?? value)) return value;
  throw new UserFault(
    `${name} in host.json is ${JSON.stringify(configured)}: it must be a time span such as "00:00:02"${min > 0 ? `, ${min} ms or more` : ''}${max === undefined ? '' : ', 7 days at most'}.`,
  );
}

/** The longest that a timer of Node waits, 24 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Half an hour when host.json says nothing, as in Azure outside the Consumption plan for Windows; -1 stands for no limit
 * (ScriptJobHostOptionsSetup.cs of azure-functions-host).
 */
function functionTimeout(host: Section): FunctionTimeout | undefined {
  const written = text(host, 'functionTimeout') ?? '00:30:00';
  if (written === '-1') return undefined;
  const ms = duration(host, 'functionTimeout', written, { min: 1000 });
  return { ms: Math.min(ms, MAX_TIMEOUT_MS), text: written };
}

/** As the Durable extension does: the provider names the setting that holds the connection string. */
function hubStorage(provider: Section | undefined): string {
  const type = text(provider, 'type') ?? 'AzureStorage';
  if (!/^azure_?storage$/i.test(type))
    throw new UserFault(
      `host.json asks for the storage provider '${type}': this host keeps hubs in Azure Storage only; leave out extensions.durableTask.storageProvider.type.`,
    );
  const setting = text(provider, 'connectionName') ?? text(provider, 'connectionStringName') ?? STORAGE_SETTING;
  const storage = process.env[setting];
  if (!storage)
    throw new UserFault(
      `${setting} is not set: put a connection string into the environment or local.settings.json, or start Azurite and add --storage UseDevelopmentStorage=true.`,
    );
  return storage;
}

/** Durable extension behaviour: a default name is cleaned up, an explicit bad one stops the start. */
function hubName(configured: string | undefined): string {
  if (configured === undefined) {
    const cleaned = (process.env['WEBSITE_SITE_NAME'] ?? 'TestHubName').replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 45);
    return /^\d/.test(cleaned) ? `t${cleaned.slice(0, 44)}` : cleaned;
  }
  const name = configured.replaceAll(/%([^%]+)%/g, (_, variable: string) => {
    const value = process.env[variable];
    if (value === undefined)
      throw new UserFault(`host.json takes the hub name from the setting ${variable}, which is not set.`);
    return value;
  });
  return checkedHub(name, 'host.json');
}

function checkedHub(name: string, source: string): string {
  if (!/^[A-Za-z][A-Za-z0-9]{2,44}$/.test(name))
    throw new UserFault(`The hub name '${name}' (${source}) is not valid: 3 to 45 letters and digits, a letter first.`);
  return name;
}

function text(section: Section | undefined, name: string): string | undefined {
  const value = section?.[name];
  if (value === undefined || typeof value === 'string') return value;
  throw new UserFault(`${name} in host.json is ${JSON.stringify(value)}: it must be text.`);
}

function asSection(value: unknown, where: string): Section | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new UserFault(`${where} must be an object.`);
}

/** The file's value; undefined when there is no file. */
async function readJson(file: string): Promise<unknown> {
  let content: string;
  try {
    content = await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(content.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new UserFault(`${file} is not valid JSON: ${messageOf(error)}`);
  }
}
