import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { messageOf, UserFault } from './log.js';

interface HostJson {
  extensions?: {
    http?: { routePrefix?: string };
    durableTask?: {
      hubName?: string;
      maxConcurrentActivityFunctions?: unknown;
      maxConcurrentOrchestratorFunctions?: unknown;
    };
  };
}

/** What the host takes from the app's host.json. */
export interface HostSettings {
  hubName: string;
  routePrefix: string;
  maxActivities: number;
  maxOrchestrators: number;
}

/** Copies `Values` of local.settings.json into the environment; what the environment already has wins. */
export async function applyLocalSettings(folder: string): Promise<void> {
  const settings = (await readJson(path.join(folder, 'local.settings.json'))) as
    { Values?: Record<string, unknown> } | undefined;
  for (const [name, value] of Object.entries(settings?.Values ?? {})) process.env[name] ??= String(value);
}

/**
 * Reads host.json. Limits default to ten per core, as in Azure outside the Consumption plan.
 * @throws UserFault when the file is missing or says something the host cannot use.
 */
export async function readHostSettings(folder: string): Promise<HostSettings> {
  const file = path.join(folder, 'host.json');
  const host = (await readJson(file)) as HostJson | undefined;
  if (!host) throw new UserFault(`There is no ${file}: --app must name the folder of a Functions app.`);
  const durable = host.extensions?.durableTask;
  return {
    hubName: hubName(durable?.hubName),
    routePrefix: host.extensions?.http?.routePrefix ?? 'api',
    maxActivities: limit('maxConcurrentActivityFunctions', durable?.maxConcurrentActivityFunctions),
    maxOrchestrators: limit('maxConcurrentOrchestratorFunctions', durable?.maxConcurrentOrchestratorFunctions),
  };
}

function limit(name: string, configured: unknown): number {
  if (configured === undefined) return 10 * os.availableParallelism();
  const value = Number(configured);
  if (!Number.isInteger(value) || value < 1)
    throw new UserFault(`${name} in host.json is ${JSON.stringify(configured)}: it must be a whole number, 1 or more.`);
  return value;
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
  if (!/^[A-Za-z][A-Za-z0-9]{2,44}$/.test(name)) {
    throw new UserFault(
      `The hub name '${name}' in host.json is not valid: 3 to 45 letters and digits, a letter first.`,
    );
  }
  return name;
}

async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new UserFault(`${file} is not valid JSON: ${messageOf(error)}`);
  }
}
