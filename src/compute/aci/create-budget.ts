import { JobError } from '../../job/failure.js';

/** What is left of the creates and deletes that Azure allows a subscription per region: 100 in 5 minutes, 300 an hour. */
const WINDOWS = [
  { header: 'x-ms-ratelimit-remaining-subscription-resource-requests-pt5m', seconds: 300, words: '5 minutes' },
  { header: 'x-ms-ratelimit-remaining-subscription-resource-requests-pt1h', seconds: 3600, words: 'hour' },
];

interface Noted {
  left: number;
  at: number;
}

/** Remembers what the headers of the last create in each region said, so that no create is sent that must fail. */
export class CreateBudget {
  readonly #noted = new Map<string, Noted>();
  readonly #blocked = new Map<string, number>();

  constructor(private readonly now: () => number = Date.now) {}

  /** @param status HTTP status of the answer; after 429 its Retry-After (seconds) is kept. */
  note(region: string, status: number, headers: { get(name: string): string | undefined }): void {
    const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
    if (status === 429 && retryAfter > 0) this.#blocked.set(region, this.now() + retryAfter * 1000);
    for (const { header } of WINDOWS) {
      const value = headers.get(header);
      if (value !== undefined && /^\d+$/.test(value))
        this.#noted.set(`${region} ${header}`, { left: Number(value), at: this.now() });
    }
  }

  /** Why no container group can be created in this region now; undefined when it can be tried. */
  refusal(region: string): JobError | undefined {
    const blocked = Math.ceil(((this.#blocked.get(region) ?? 0) - this.now()) / 1000);
    if (blocked > 0)
      return new JobError(
        'platform',
        `Azure throttles creates in ${region} and asked to wait ${blocked} more seconds.`,
      );
    for (const { header, seconds, words } of WINDOWS) {
      const noted = this.#noted.get(`${region} ${header}`);
      const wait = noted ? Math.ceil(seconds - (this.now() - noted.at) / 1000) : 0;
      if (noted?.left === 0 && wait > 0) {
        const sentence = `The container groups that Azure lets the app create in ${region} per ${words} are used up; the batch waits up to ${wait} seconds.`;
        return new JobError('platform', sentence);
      }
    }
    return undefined;
  }
}
