import { counted } from '../../job/counted.js';
import {
  type Allowance,
  allowance,
  type CreateLedger,
  type CreateReport,
  EMPTY_LEDGER,
  type LedgerStore,
  withCreate,
  withReport,
} from './create-ledger.js';
import { JobError } from '../../job/failure.js';

/** Headers with which Azure says what is left of the creates and deletes, and the seconds of their windows. */
const HEADERS = [
  { header: 'x-ms-ratelimit-remaining-subscription-resource-requests-pt5m', seconds: 300 },
  { header: 'x-ms-ratelimit-remaining-subscription-resource-requests-pt1h', seconds: 3600 },
];

/** Keeps all jobs of the app, on all its instances, under the creates that Azure allows a subscription per region. */
export class CreateBudget {
  constructor(
    private readonly store: LedgerStore,
    private readonly subscriptionId: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** What may be created in the region now. */
  async look(region: string): Promise<Allowance> {
    return allowance(await this.#update(region, (ledger) => ledger), region, this.now());
  }

  /**
   * Takes one create out of the budget, which is spent whatever becomes of it.
   * @throws JobError `platform` with the time to wait when none is left.
   */
  async take(region: string): Promise<CreateLedger> {
    return this.#update(region, (ledger) => {
      const now = this.now();
      const allowed = allowance(ledger, region, now);
      if ('waitSeconds' in allowed) {
        const sentence = `${upperFirst(allowed.why)}; the batch waits ${counted(allowed.waitSeconds, 'second')}.`;
        throw new JobError('platform', sentence, { retryAfterSeconds: allowed.waitSeconds });
      }
      return withCreate(ledger, now);
    });
  }

  /** Learns from the answer to a create; `taken` is what `take` gave. */
  async note(region: string, taken: CreateLedger, report: CreateReport): Promise<void> {
    if (withReport(taken, report, this.now()) === taken) return;
    await this.#update(region, (ledger) => withReport(ledger, report, this.now()));
  }

  #update(region: string, change: (ledger: CreateLedger) => CreateLedger): Promise<CreateLedger> {
    return this.store.update(`${this.subscriptionId}-${region}`, change);
  }
}

const upperFirst = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param status HTTP status of the answer: only after 429 its Retry-After counts. */
export function readReport(status: number, headers: { get(name: string): string | undefined }): CreateReport {
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  return {
    left: HEADERS.flatMap(({ header, seconds }) => {
      const value = headers.get(header);
      return value !== undefined && /^\d+$/.test(value) ? [{ seconds, left: Number(value) }] : [];
    }),
    retryAfterSeconds: status === 429 && retryAfter > 0 ? retryAfter : undefined,
  };
}

/** Ledgers of this process only, for an app that has but one. */
export function createOwnLedgers(): LedgerStore {
  const ledgers = new Map<string, CreateLedger>();
  return {
    update: (name, change) => {
      try {
        const changed = change(ledgers.get(name) ?? EMPTY_LEDGER);
        ledgers.set(name, changed);
        return Promise.resolve(changed);
      } catch (error) {
        return Promise.reject(error);
      }
    },
  };
}
