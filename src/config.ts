import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type ComputeSettings, readComputeSettings } from './compute/computes.js';
import { readTuning } from './container-contract/environment.js';
import { JobError } from './job/failure.js';
import type { DailyLimits } from './job/daily-limits.js';
import type { AdmissionLimits } from './job/inbox/admission.js';
import { type NoticeChoice, noticeChoices } from './job/notice.js';
import { parsePrices, PRICES, type PriceTable } from './job/estimate/prices.js';
import type { UrlSettings } from './internet/fetch-url.js';
import type { NoticeSettings } from './notices/send.js';
import type { Retention } from './job-store/retention.js';
import { type MediaLimits, readMediaLimits } from './media/media.js';
import { type Environment, isSet, readSettings } from './settings.js';
import { type Connection, hasKey, readConnection } from './storage/connection.js';
import type { CallerSettings } from './triggers/callers.js';
import { readInsightsSettings } from './telemetry/insights-settings.js';
import type { TelemetrySettings } from './telemetry/telemetry.js';

const DAYS = 'must be a whole number of days, or 0 for ever';
const days = z.coerce.number(DAYS).int(DAYS).min(0, DAYS).max(36_500, DAYS);

/** A number that a setting may hold, in words and as a rule. */
function whole(least: number, most: number) {
  const words = `must be a whole number from ${least} to ${most}`;
  return z.coerce.number(words).int(words).min(least, words).max(most, words);
}

const ABOVE_0 = 'must be a number above 0';
const GIB = 1024 ** 3;

const schema = z.object({
  FFMPEG_PATH: z.string().optional(),
  FFPROBE_PATH: z.string().optional(),
  STORAGE_FOLDER: z.string().optional(),
  TEMP_FOLDER: z.string().default(os.tmpdir()),
  CHUNK_FRAMES: whole(1, 1_000_000).optional(),
  KEEP_FRAMES_DAYS: days.default(7),
  KEEP_RECORDS_DAYS: days.default(90),
  MOST_RUNNING_JOBS: whole(1, 1000).default(20),
  MOST_RUNNING_ITEMS: whole(1, 1_000_000_000).default(5_000_000),
  MOST_RUNNING_GIB: z.coerce.number(ABOVE_0).gt(0, ABOVE_0).default(500),
  MOST_JOBS_PER_DAY: whole(1, 1_000_000).optional(),
  MOST_ITEMS_PER_DAY: whole(1, 1_000_000_000_000).optional(),
  MOST_GIB_PER_DAY: z.coerce.number(ABOVE_0).gt(0, ABOVE_0).optional(),
  INPUT_URL_HOSTS: z
    .string()
    .regex(/^[a-z0-9.,\s[\]:-]*$/i, 'must be names of hosts with commas in between')
    .default(''),
  MOST_URL_GIB: z.coerce.number(ABOVE_0).gt(0, ABOVE_0).default(20),
  AUTHENTICATION: z.enum(['keys', 'entra'], 'must be "keys" or "entra"').default('keys'),
  OWNERSHIP: z.enum(['off', 'on'], 'must be "off" or "on"').default('off'),
  OPERATORS: z.string().default(''),
  WEBSITE_AUTH_ENABLED: z.string().optional(),
  INBOX_SWEEP: z.string().default('0 */10 * * * *'),
  NOTIFY: z.string().optional(),
  EVENT_GRID_TOPIC: z
    .url({ protocol: /^https$/, error: 'must be the https endpoint of an Event Grid topic' })
    .optional(),
  PRICES: z.string().optional(),
  INBOX_WAIT_HOURS: whole(1, 168).default(24),
  TELEMETRY_FILE: z.string().optional(),
  PATH: z.string().default(''),
});

/** The account that the Functions host itself uses. */
const HOST_STORAGE = 'AzureWebJobsStorage';
const INTERNAL_STORAGE = 'INTERNAL_STORAGE';
const QUEUE_STORAGE = 'QUEUE_STORAGE';

const GPUS = 'CUDA_VISIBLE_DEVICES';
// prettier-ignore
const FOR_CHILDREN = [
  'PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot', 'LD_LIBRARY_PATH', 'NODE_EXTRA_CA_CERTS',
  // For CUDA, and for Vulkan, on which WebGPU runs.
  'CUDA_DEVICE_ORDER', 'NVIDIA_TF32_OVERRIDE', 'VK_DRIVER_FILES', 'VK_ICD_FILENAMES',
];

export interface Config {
  /** Of the app, as in `0.1.0`. */
  version: string;
  mediaConnection: Connection;
  internalConnection: Connection;
  /** The account of the queue in which new media arrives. */
  queueConnection: Connection;
  ffmpegPath: string | undefined;
  ffprobePath: string | undefined;
  /** Folders to look for programs in, as in the PATH variable. */
  searchPath: string;
  /** Frames that one activity splits or stitches at most; by the size of a frame when left out. */
  chunkFrames: number | undefined;
  mediaLimits: MediaLimits;
  retention: Retention;
  inbox: InboxSettings;
  callers: CallerSettings;
  dailyLimits: DailyLimits;
  /** What containers cost. */
  prices: PriceTable;
  /** From where videos are fetched. */
  urls: UrlSettings;
  notices: NoticeSettings;
  /** A folder on the disk of the storage, where that is this machine's. */
  storageFolder: string | undefined;
  /** Where the app keeps videos while it splits and stitches them. */
  tempFolder: string;
  /** The models that come with the app. */
  bundledModels: string;
  /** The files of the web page, as they are built. */
  page: string;
  computes: ComputeSettings;
  telemetry: TelemetrySettings;
  /** What every scorer gets in its environment beside its task. */
  scorerTuning: Record<string, string>;
  /** All that child processes get of the app's environment: what a program needs to start and to find its GPU, and no secret. */
  childEnvironment: NodeJS.ProcessEnv;
}

export interface InboxSettings {
  /** What runs at once of all jobs. */
  limits: AdmissionLimits;
  /** When the inbox is looked through, as NCRONTAB. */
  sweep: string;
  /** How long a job waits for the images that its folder is expected to hold. */
  waitHours: number;
  /** The name by which the Functions host knows the settings that lead to the account of the queue. */
  connection: string;
}

/**
 * Every setting of the app, validated once; nothing else reads the environment.
 * `MEDIA_STORAGE` and `INTERNAL_STORAGE` default to the account that the Functions host itself uses.
 * @throws JobError `user` that names the setting.
 */
export function readConfig(environment: Environment): Config {
  const settings = readSettings(schema, environment);
  const queues = queueStorage(environment);
  return {
    version: readVersion(),
    mediaConnection: connectionOf(environment, 'MEDIA_STORAGE'),
    internalConnection: connectionOf(environment, INTERNAL_STORAGE),
    queueConnection: queues.connection,
    ffmpegPath: settings.FFMPEG_PATH,
    ffprobePath: settings.FFPROBE_PATH,
    searchPath: settings.PATH,
    chunkFrames: settings.CHUNK_FRAMES,
    mediaLimits: readMediaLimits(environment),
    retention: { framesDays: settings.KEEP_FRAMES_DAYS, recordsDays: settings.KEEP_RECORDS_DAYS },
    inbox: {
      limits: {
        jobs: settings.MOST_RUNNING_JOBS,
        items: settings.MOST_RUNNING_ITEMS,
        bytes: settings.MOST_RUNNING_GIB * GIB,
      },
      sweep: settings.INBOX_SWEEP,
      waitHours: settings.INBOX_WAIT_HOURS,
      connection: queues.name,
    },
    callers: readCallers(settings),
    dailyLimits: {
      jobs: settings.MOST_JOBS_PER_DAY,
      items: settings.MOST_ITEMS_PER_DAY,
      bytes: settings.MOST_GIB_PER_DAY === undefined ? undefined : settings.MOST_GIB_PER_DAY * GIB,
    },
    prices: readPrices(settings.PRICES),
    urls: { hosts: namesIn(settings.INPUT_URL_HOSTS.toLowerCase()), mostBytes: settings.MOST_URL_GIB * GIB },
    notices: {
      usual: readNotify(settings.NOTIFY),
      topic: settings.EVENT_GRID_TOPIC,
      secrets: readSecrets(environment),
    },
    storageFolder: settings.STORAGE_FOLDER,
    tempFolder: settings.TEMP_FOLDER,
    bundledModels: path.resolve(fileURLToPath(new URL('../models', import.meta.url))),
    page: fileURLToPath(new URL('./page/files', import.meta.url)),
    computes: readComputeSettings(environment),
    telemetry: { file: settings.TELEMETRY_FILE, insights: readInsightsSettings(environment) },
    scorerTuning: readTuning(environment),
    childEnvironment: readChildEnvironment(environment),
  };
}

/** The app is in a folder beside its package.json, wherever it is packed. */
const readVersion = () =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;

/** @throws JobError `user` when anybody could say who they are. */
function readCallers({
  AUTHENTICATION: authentication,
  OWNERSHIP,
  OPERATORS,
  WEBSITE_AUTH_ENABLED,
}: z.output<typeof schema>): CallerSettings {
  // App Service sets it, and takes the headers that it uses itself from what clients send only where it is on.
  if (authentication === 'entra' && WEBSITE_AUTH_ENABLED?.toLowerCase() !== 'true')
    throw new JobError(
      'user',
      'The setting AUTHENTICATION is "entra" and the authentication of App Service is off, so that callers could say to be anybody; switch it on, or set AUTHENTICATION to "keys".',
    );
  return { authentication, ownership: OWNERSHIP === 'on', operators: namesIn(OPERATORS) };
}

/** Names with commas in between. */
const namesIn = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** @throws JobError `user` when it is not what a specification may have as "notify". */
function readNotify(text: string | undefined): NoticeChoice[] {
  if (text === undefined) return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new JobError('user', 'The setting NOTIFY must be JSON, as in [{"queue": "jobs-done"}].', { cause });
  }
  const { success, data, error } = noticeChoices.safeParse(value);
  if (success) return data;
  throw new JobError('user', `The setting NOTIFY ${error.issues[0]?.message ?? 'is wrong'}.`, { cause: error });
}

/** @throws JobError `user` when it is no table of prices. */
function readPrices(text: string | undefined): PriceTable {
  const prices = text === undefined ? PRICES : parsePrices(text);
  if (typeof prices === 'string') throw new JobError('user', `The setting PRICES ${prices}.`);
  return prices;
}

const SECRET_PREFIX = 'WEBHOOK_SECRET_';

/** Secrets of webhooks by name. */
const readSecrets = (environment: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith(SECRET_PREFIX) && value !== undefined && value !== ''
        ? [[name.slice(SECRET_PREFIX.length), value]]
        : [],
    ),
  );

function readChildEnvironment(environment: Environment): Environment {
  const set = FOR_CHILDREN.filter((name) => isSet(environment, name));
  // Set to nothing, it says that there is no GPU.
  const names = environment[GPUS] === undefined ? set : [...set, GPUS];
  return Object.fromEntries(names.map((name) => [name, environment[name]]));
}

/**
 * The account of the queues: by QUEUE_STORAGE, else the one that the Functions host uses; where the app may not use that one, as the host
 * reaches it with a key, the internal account.
 * @returns with the name by which the host knows the settings that lead to it.
 */
function queueStorage(environment: Environment): { name: string; connection: Connection } {
  const own = readConnection(environment, QUEUE_STORAGE);
  if (own !== undefined) return { name: QUEUE_STORAGE, connection: own };
  const internal = readConnection(environment, INTERNAL_STORAGE);
  if (internal !== undefined && hasKey(environment, HOST_STORAGE))
    return { name: INTERNAL_STORAGE, connection: internal };
  return { name: HOST_STORAGE, connection: connectionOf(environment, HOST_STORAGE) };
}

function connectionOf(environment: Environment, name: string): Connection {
  const connection = readConnection(environment, name) ?? readConnection(environment, HOST_STORAGE);
  if (connection === undefined)
    throw new JobError(
      'user',
      `The setting ${HOST_STORAGE}__accountName is missing: set it to the storage account, or ${HOST_STORAGE} to the connection string of an Azurite.`,
    );
  return connection;
}
