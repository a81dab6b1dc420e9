/**
 * Azure lets a subscription create 100 container groups in 5 minutes and 300 an hour per region (quota page of 2025-11-17).
 * The app leaves some to others in the subscription and to clocks that differ.
 */
const WINDOWS = [
  { seconds: 300, most: 90, words: '5 minutes' },
  { seconds: 3600, most: 280, words: 'hour' },
] as const;
/** How many of the creates that Azure says are left the app leaves to others. */
const RESERVE = 5;

/** What all instances of the app know of one region; times in milliseconds since the epoch. */
export interface CreateLedger {
  /** When a create was sent, oldest first; of the last hour. */
  creates: number[];
  /** What Azure last said is left of each window, when that was less than the app had counted. */
  reports: { seconds: number; left: number; at: number }[];
  /** Azure throttled the app and asks for no creates until then. */
  blockedUntil: number;
}

export const EMPTY_LEDGER: CreateLedger = { creates: [], reports: [], blockedUntil: 0 };

/** What the answer to a create said: what is left of each window, and after a 429 how long to wait. */
export interface CreateReport {
  left: { seconds: number; left: number }[];
  retryAfterSeconds: number | undefined;
}

/** Creates that may be sent now, or else the seconds until one may, and why. */
export type Allowance = { left: number } | { left: 0; waitSeconds: number; why: string };

/** How many creates are left in this region. */
export function allowance(ledger: CreateLedger, region: string, now: number): Allowance {
  if (ledger.blockedUntil > now) {
    const waitSeconds = Math.ceil((ledger.blockedUntil - now) / 1000);
    return { left: 0, waitSeconds, why: `Azure throttles creates in ${region}` };
  }
  let fewest = Infinity;
  for (const { seconds, most, words } of WINDOWS) {
    const { left, since } = leftIn(ledger, seconds, most, now);
    if (left <= 0) {
      const waitSeconds = Math.max(1, Math.ceil((since + seconds * 1000 - now) / 1000));
      const why = `the app has used up the ${most} container groups that it may create in ${region} per ${words}`;
      return { left: 0, waitSeconds, why };
    }
    fewest = Math.min(fewest, left);
  }
  return { left: fewest };
}

/** `since`: when the window began that has to pass before there are more. */
function leftIn(ledger: CreateLedger, seconds: number, most: number, now: number): { left: number; since: number } {
  const own = ledger.creates.filter((at) => now - at < seconds * 1000);
  const reckoned = { left: most - own.length, since: own[0] ?? now };
  const report = ledger.reports.find((each) => each.seconds === seconds && now - each.at < seconds * 1000);
  if (!report) return reckoned;
  const left = report.left - RESERVE - own.filter((at) => at > report.at).length;
  return left < reckoned.left ? { left, since: report.at } : reckoned;
}

/** Counts one create that the app is about to send. */
export function withCreate(ledger: CreateLedger, now: number): CreateLedger {
  const longest = Math.max(...WINDOWS.map(({ seconds }) => seconds)) * 1000;
  return {
    creates: [...ledger.creates.filter((at) => now - at < longest), now],
    reports: ledger.reports.filter(({ at, seconds }) => now - at < seconds * 1000),
    blockedUntil: ledger.blockedUntil,
  };
}

/** The ledger with what the answer said; the same one when that is nothing new. */
export function withReport(ledger: CreateLedger, report: CreateReport, now: number): CreateLedger {
  const blockedUntil = now + (report.retryAfterSeconds ?? 0) * 1000;
  const blocked = report.retryAfterSeconds !== undefined && blockedUntil > ledger.blockedUntil;
  const news = report.left.filter(({ seconds, left }) => {
    const window = WINDOWS.find((each) => each.seconds === seconds);
    return window !== undefined && left - RESERVE < leftIn(ledger, seconds, window.most, now).left;
  });
  if (!blocked && news.length === 0) return ledger;
  const others = ledger.reports.filter(({ seconds }) => !news.some((each) => each.seconds === seconds));
  return {
    creates: ledger.creates,
    reports: [...others, ...news.map(({ seconds, left }) => ({ seconds, left, at: now }))],
    blockedUntil: blocked ? blockedUntil : ledger.blockedUntil,
  };
}
