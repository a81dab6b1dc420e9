import { type Answer, refuse } from '../http.js';
import type { Group } from './group.js';

/** How much a region holds, by the names of Azure's quotas; those of a kind of GPU, such as `V100Cores`, count the cores beside it. */
export interface Quotas {
  ContainerGroups: number;
  StandardCores: number;
  [cores: `${string}Cores`]: number;
}

/** Creates allowed per subscription and region, as on Azure's quota page of 2025-11-17. */
const PER_5_MINUTES = 100;
const PER_HOUR = 300;
const MINUTE = 60_000;

/** What a group takes of each quota. */
function needsOf({ properties: { containers } }: Group['body']): Record<string, number> {
  const needs: Record<string, number> = { ContainerGroups: 1 };
  for (const { properties } of containers) {
    const { cpu, gpu } = properties.resources.requests;
    const quota = `${gpu?.sku ?? 'Standard'}Cores`;
    needs[quota] = (needs[quota] ?? 0) + cpu;
  }
  return needs;
}

/** What the groups of a region take of a quota together. */
const usedOf = (groups: Group[], region: string, quota: string) =>
  groups
    .filter(({ body: { location } }) => location === region)
    .reduce((sum, { body }) => sum + (needsOf(body)[quota] ?? 0), 0);

/** Counts what each region holds and how often it was asked to create. */
export class Limits {
  readonly #creates = new Map<string, number[]>();

  constructor(private readonly quotas: Quotas) {}

  usage(groups: Group[], region: string): object[] {
    return Object.entries(this.quotas).map(([value, limit]) => ({
      unit: 'Count',
      currentValue: Math.ceil(usedOf(groups, region, value)),
      limit,
      name: { value, localizedValue: value },
    }));
  }

  /** The refusal of a create that does not fit beside these groups. */
  refusal(groups: Group[], body: Group['body']): Answer | undefined {
    const needs = needsOf(body);
    for (const [quota, limit] of Object.entries(this.quotas)) {
      const used = usedOf(groups, body.location, quota);
      const asked = needs[quota] ?? 0;
      if (used + asked <= limit) continue;
      const message = `Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '${quota}' exceeded in region '${body.location}'. Limit: '${limit}', Usage: '${used}' Requested: '${asked}'.`;
      return refuse(400, 'ContainerGroupQuotaReached', message);
    }
    return undefined;
  }

  /** Counts one create and returns Azure's headers on what is left; `spent` when none was. */
  count(region: string): { spent: boolean; headers: Record<string, string> } {
    const now = Date.now();
    const recent = (this.#creates.get(region) ?? []).filter((at) => now - at < 60 * MINUTE);
    const within5 = recent.filter((at) => now - at < 5 * MINUTE).length;
    const spent = within5 >= PER_5_MINUTES || recent.length >= PER_HOUR;
    if (!spent) recent.push(now);
    this.#creates.set(region, recent);
    const left = (most: number, count: number) => String(Math.max(0, most - count - 1));
    return {
      spent,
      headers: {
        'x-ms-ratelimit-remaining-subscription-resource-requests-pt5m': left(PER_5_MINUTES, within5),
        'x-ms-ratelimit-remaining-subscription-resource-requests-pt1h': left(PER_HOUR, recent.length - 1),
      },
    };
  }
}
