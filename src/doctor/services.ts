import type { BlobServiceClient } from '@azure/storage-blob';
import { EMPTY_LEDGER } from '../compute/aci/create-ledger.js';
import { createLogin } from '../compute/azure/login.js';
import { createComputes } from '../compute/computes.js';
import { type Config, readConfig } from '../config.js';
import { counted, messageOf } from '../job/failure.js';
import { type Environment, isSet } from '../settings.js';
import { openStorage } from '../storage/storage.js';
import { attempt, type Check, fail, type Group, ok } from './report.js';

/** Names of settings that this app reads. */
const OURS =
  /^(?:(?:ACI|CONTAINER_APPS|MEDIA_STORAGE|INTERNAL_STORAGE|QUEUE_STORAGE|AzureWebJobs|AZURE|SCORER|MOST|KEEP|WEBHOOK_SECRET|APPLICATIONINSIGHTS|TELEMETRY|INBOX|INPUT_URL)(?:_|\w)*|FFMPEG_(?:PATH|SECONDS)|FFPROBE_PATH|TEMP_FOLDER|STORAGE_FOLDER|CHUNK_FRAMES|AUTHENTICATION|OWNERSHIP|OPERATORS|NOTIFY|EVENT_GRID_TOPIC|CUDA_VISIBLE_DEVICES|NO_COLOR)$/;

/** Numbers say something about the app and nothing about whose it is. */
const isNumber = (text: string) => /^\d{1,12}(?:\.\d+)?$/.test(text);

/** Which settings are set; never what to, but for numbers. */
export function checkSettings(env: Environment): Group {
  const names = Object.keys(env).filter((name) => OURS.test(name) && isSet(env, name));
  const said = names.toSorted().map((name) => {
    const value = env[name] ?? '';
    return isNumber(value) && !/SECRET|KEY|TOKEN|ID$/.test(name) ? `${name}=${value}` : name;
  });
  return {
    title: 'Settings',
    checks: [ok('set', said.length === 0 ? 'none: everything has its default' : said.join(', '))],
  };
}

/**
 * The accounts and the computes that the settings name, as the app itself would use them.
 * @param env with the settings of an emulator, where one is to be checked.
 * @param isAskedFor whether it fails where nothing of Azure is set up.
 */
export async function checkAzure(env: Environment, { isAskedFor = false } = {}): Promise<Group> {
  const isStored = Object.keys(env).some(
    (name) => /^(?:AzureWebJobsStorage|MEDIA_STORAGE|INTERNAL_STORAGE)/.test(name) && isSet(env, name),
  );
  let config: Config;
  try {
    // Computes can be checked without storage.
    config = readConfig(isStored ? env : { ...env, AzureWebJobsStorage: 'UseDevelopmentStorage=true' });
  } catch (error) {
    return { title: 'Azure', checks: [fail('settings', messageOf(error), 'No app starts with these.')] };
  }
  if (isAskedFor && !isStored && !config.computes.aci && !config.computes.containerApps)
    return { title: 'Azure', checks: [fail('Azure', 'nothing of it is set up here', SET_UP)] };
  const checks = await Promise.all([
    ...(isStored ? checkStorage(config) : [[ok('storage', 'not configured here: the local stack brings its own')]]),
    ...checkComputes(config),
  ]);
  return { title: 'Azure', checks: checks.flat() };
}

const SET_UP =
  'Set the settings of the app (docs/running.md) in this environment and log in with "az login", or ask a deployed app with --url and --key.';

function checkStorage(config: Config): Promise<Check[]>[] {
  const accounts = { media: config.mediaConnection, internal: config.internalConnection };
  return Object.entries(accounts).map(([what, connection]) => {
    const about = `storage, ${what}`;
    return attempt(about, async () => {
      const storage = openStorage({ mediaConnection: connection, internalConnection: connection }, createLogin);
      const how = typeof connection === 'string' ? 'with its connection string' : 'with a login';
      try {
        await firstContainer(storage.media);
        return ok(about, `reachable ${how}`);
      } catch (error) {
        return fail(about, `not reachable ${how}: ${messageOf(error)}`, helpFor(error));
      }
    });
  });
}

async function firstContainer(service: BlobServiceClient): Promise<void> {
  for await (const _ of service.listContainers().byPage({ maxPageSize: 1 })) return;
}

function helpFor(error: unknown): string {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return status === 403
    ? 'Give the identity the role Storage Blob Data Contributor on the account, and let its network in.'
    : 'Check the name of the account, the login (az login), and the network.';
}

function checkComputes({ computes }: Config): Promise<Check[]>[] {
  const providers = createComputes(computes, {
    childEnvironment: {},
    scorerTuning: {},
    // Nothing is launched.
    ledgers: { update: (_, change) => Promise.resolve(change(EMPTY_LEDGER)) },
    readSealingKey: () => Promise.reject(new Error('Nothing is launched.')),
  });
  const configured = { aci: computes.aci !== undefined, 'container-apps': computes.containerApps !== undefined };
  return (['aci', 'container-apps'] as const).map((kind) => {
    if (!configured[kind]) return Promise.resolve([ok(kind, 'not set up')]);
    return attempt(kind, async () => {
      const { maxParallel, warnings, gpu } = await providers[kind].preflight({});
      const room = `rights, quota and image allow ${counted(maxParallel, 'container')} at once${gpu === true ? ', with a GPU' : ''}`;
      return [ok(kind, room), ...warnings.map((found): Check => ({ about: kind, state: 'warn', found }))];
    });
  });
}
