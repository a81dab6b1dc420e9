import type { RuntimeStatus } from '../protocol/history.js';
import type { InstanceQuery } from '../backend/backend.js';

const STATUSES: RuntimeStatus[] = [
  'Pending',
  'Running',
  'Completed',
  'ContinuedAsNew',
  'Failed',
  'Canceled',
  'Terminated',
  'Suspended',
];

/** Query parameters as the extension reads them: names in any case, what does not parse is ignored. */
export class Query {
  readonly #values = new Map<string, string[]>();

  constructor(params: URLSearchParams) {
    for (const [name, value] of params) {
      const key = name.toLowerCase();
      this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
    }
  }

  text(name: string): string | undefined {
    return this.#values.get(name.toLowerCase())?.[0] || undefined;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.text(name)?.toLowerCase();
    return value === 'true' || (value !== 'false' && fallback);
  }

  number(name: string): number | undefined {
    const value = Number(this.text(name));
    return Number.isFinite(value) && this.text(name) !== undefined ? value : undefined;
  }

  integer(name: string): number | undefined {
    const value = this.number(name);
    return Number.isInteger(value) ? value : undefined;
  }

  /** True when the parameter is there, whatever it says. */
  has(name: string): boolean {
    return this.text(name) !== undefined;
  }

  instances(): InstanceQuery {
    const idPrefix = this.text('instanceIdPrefix');
    const createdFrom = this.#date('createdTimeFrom');
    const createdTo = this.#date('createdTimeTo');
    const named = (this.#values.get('runtimestatus') ?? []).flatMap((each) => each.split(','));
    const wanted = new Set(named.map((each) => each.trim().toLowerCase()));
    const statuses = STATUSES.filter((status) => wanted.has(status.toLowerCase()));
    return {
      ...(idPrefix ? { idPrefix } : {}),
      ...(createdFrom ? { createdFrom } : {}),
      ...(createdTo ? { createdTo } : {}),
      statuses,
    };
  }

  #date(name: string): Date | undefined {
    const date = new Date(this.text(name) ?? '');
    return Number.isNaN(date.getTime()) ? undefined : date;
  }
}
