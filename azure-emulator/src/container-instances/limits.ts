import { type Answer, refuse } from '../http.js';
import type { Group } from './group.js';

/** How much a region holds, by the names of Azure's quotas. */
export interface Quotas {
  ContainerGroups: number;
  StandardCores: number;
}

/** Creates allowed per subscription and region, as on Azure's quota page of 2025-11-17. */
const PER_5_MINUTES = 100;
const PER_HOUR = 300;
const MINUTE = 60_000;

const coresOf = (group: { body: Group['body'] }) =>
  group.body.properties.containers.reduce((sum, { properties }) => sum + properties.resources.requests.cpu, 0);

/** Counts what each region holds and how often it was asked to create. */
export class Limits {
  readonly #creates = new Map<string, number[]>();

  constructor(private readonly quotas: Quotas) {}

  usage(groups: Group[], region: string): object[] {
    const own = groups.filter(({ body }) => body.location === region);
    const used = { ContainerGroups: own.length, StandardCores: own.reduce((sum, group) => sum + coresOf(group), 0) };
    return (['ContainerGroups', 'StandardCores'] as const).map((value) => ({
      unit: 'Count',
      currentValue: Math.ceil(used[value]),
      limit: this.quotas[value],
      name: { value, localizedValue: value },
    }));
  }

  /** The refusal of a create that does not fit beside these groups. */
  refusal(groups: Group[], body: Group['body']): Answer | undefined {
    const own = groups.filter(({ body: { location } }) => location === body.location);
    const asked = { ContainerGroups: 1, StandardCores: coresOf({ body }) };
    const used = { ContainerGroups: own.length, StandardCores: own.reduce((sum, group) => sum + coresOf(group), 0) };
    for (const quota of ['ContainerGroups', 'StandardCores'] as const) {
      if (used[quota] + asked[quota] <= this.quotas[quota]) continue;
      const message = `Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '${quota}' exceeded in region '${body.location}'. Limit: '${this.quotas[quota]}', Usage: '${used[quota]}' Requested: '${asked[quota]}'.`;
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
