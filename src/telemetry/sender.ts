import http from 'node:http';
import https from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { counted, messageOf, shorten } from '../job/failure.js';
import { createBacklog, type Counts, IMPORTANCES, type Line, none } from './backlog.js';
import type { InsightsSettings } from './insights-settings.js';

export const LIMITS = {
  /** What waits at most: what a job of two thousand attempts tells. */
  items: 20_000,
  size: 16 * 1024 * 1024,
  /** What one request carries at most. */
  batchItems: 250,
  batchSize: 1024 * 1024,
  /** How long an answer may take. */
  answerMs: 20_000,
  /** After a failure, twice as long after each that follows. */
  backOffMs: 500,
  longestBackOffMs: 60_000,
  warnEveryMs: 60_000,
};
export type SenderLimits = typeof LIMITS;

const LONGEST_ANSWER = 1024 * 1024;
const MOST_REDIRECTS = 3;
/** A record that is refused so often while others are taken is given up. */
const MOST_REFUSALS = 8;
/** Failures in a row that are worth a warning although nothing is lost yet. */
const WORTH_A_WARNING = 4;
/** A token is asked for again so long before it ends. */
const TOKEN_MARGIN_MS = 5 * 60_000;

/** Statuses, of an answer or of one record in it, after which the same may be taken later: `retryPolicy` of Application Insights' SDKs. */
const LATER = new Set([401, 403, 408, 429, 439, 500, 502, 503, 504]);

const ANSWER = z.object({
  itemsReceived: z.number(),
  itemsAccepted: z.number(),
  errors: z.array(z.object({ index: z.number(), statusCode: z.number(), message: z.string().nullish() })).nullish(),
});

export interface SenderPorts {
  settings: InsightsSettings;
  /** Undefined: the key is enough. */
  credential?: TokenCredential | undefined;
  warn: (message: string) => void;
}

/** Delivers lines of JSON, in the background: it never throws, and holds up neither a caller nor the end of the process. */
export interface Sender {
  add(lines: Line[]): void;
  /** Ends when all is delivered, when it is clear that nothing more can be, or after so many milliseconds; what is left stays to be sent. */
  flush(withinMs: number): Promise<void>;
}

interface Outcome {
  /** What has to be sent again. */
  again: Line[];
  /** What was refused for good. */
  refused: Line[];
  /** What went wrong, if anything did. */
  problem?: string | undefined;
  /** How long Application Insights wants to be left alone. */
  pauseMs?: number | undefined;
}

/**
 * Sends as soon as there is something, one request at a time; what comes meanwhile goes with the next. A failed request is repeated, so a
 * record whose answer was lost may arrive twice; its id tells.
 * Of its own because that of `applicationinsights` 2.9.8 loses what a 206, 429 or 500 asks to send again, and opens connections without bound.
 */
export function createSender({ settings, credential, warn }: SenderPorts, limits: SenderLimits = LIMITS): Sender {
  const home = new URL(`${settings.endpoint}/v2.1/track`);
  const { request, Agent } = home.protocol === 'http:' ? http : https;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const backlog = createBacklog(limits);
  const tokenFor = settings.login && credential ? createTokens(credential, settings.login.scope) : undefined;

  let url = home;
  let sending: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let backOffUntil = 0;
  let leaveAloneUntil = 0;
  let problem: string | undefined;
  let cause: string | undefined;
  let lost = none();
  let warnedAt = -Infinity;

  /** Sends at once, or when the pause after a failure is over. */
  function schedule(): void {
    if (sending !== undefined || timer !== undefined || backlog.waiting === 0) return;
    const wait = Math.max(0, backOffUntil - Date.now(), leaveAloneUntil - Date.now());
    timer = setTimeout(() => {
      timer = undefined;
      begin();
    }, wait).unref();
  }

  function begin(): void {
    clearTimeout(timer);
    timer = undefined;
    sending ??= sendOnce().finally(() => {
      sending = undefined;
      schedule();
    });
  }

  async function sendOnce(): Promise<void> {
    const batch = backlog.take({ items: limits.batchItems, size: limits.batchSize });
    if (batch.length === 0) return;
    const outcome = await post(batch).catch((error: unknown): Outcome => ({
      again: batch,
      refused: [],
      problem: reasonOf(error, limits.answerMs),
    }));
    backlog.settle(batch, outcome.again);
    for (const { importance } of outcome.refused) lost[importance] += 1;
    problem = outcome.problem;
    cause = problem ?? cause;
    if (outcome.again.length === batch.length) url = home;
    if (outcome.again.length > 0) {
      backOffUntil = Date.now() + Math.min(limits.backOffMs * 2 ** failures, limits.longestBackOffMs);
      failures += 1;
    } else {
      backOffUntil = 0;
      failures = 0;
    }
    leaveAloneUntil = Date.now() + Math.min(outcome.pauseMs ?? 0, limits.longestBackOffMs);
    tell(false);
  }

  async function post(batch: Line[]): Promise<Outcome> {
    const signal = AbortSignal.timeout(limits.answerMs);
    const token = await tokenFor?.get(signal);
    const body = await promisify(gzip)(batch.map(({ json }) => json).join('\n'));
    const headers = {
      'content-type': 'application/x-json-stream',
      'content-encoding': 'gzip',
      'content-length': body.length,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    for (let redirects = 0; ; redirects += 1) {
      const answer = await ask(url, headers, body, signal);
      const next = redirects < MOST_REDIRECTS ? redirectOf(url, answer) : undefined;
      if (next === undefined) {
        if (answer.status === 401) tokenFor?.forget();
        return judge(batch, answer);
      }
      url = next;
    }
  }

  /** Not by `fetch`, whose first call alone takes 12 MB and 30 ms more. */
  function ask(to: URL, headers: http.OutgoingHttpHeaders, body: Buffer, signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      request(to, { method: 'POST', headers, agent, signal }, (response) => {
        readBody(response).then(
          (text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
          reject,
        );
      })
        // A connection that waits is no reason for a process to go on.
        .on('socket', (socket) => socket.unref())
        .on('error', reject)
        .end(body);
    });
  }

  /** Says what does not arrive: now and then, and at the end of a flush. */
  function tell(atEnd: boolean): void {
    const more = backlog.lost();
    lost = { step: lost.step + more.step, span: lost.span + more.span, event: lost.event + more.event };
    const gone = lost.step + lost.span + lost.event;
    if (gone === 0 && (atEnd ? backlog.held === 0 : failures < WORTH_A_WARNING)) return;
    if (!atEnd && Date.now() < warnedAt + limits.warnEveryMs) return;
    warnedAt = Date.now();
    const reason =
      problem ?? (gone > 0 ? cause : undefined) ?? (atEnd ? 'it has not answered yet' : 'too much at once');
    const wait = `${counted(backlog.held, 'record')} ${backlog.held === 1 ? 'waits' : 'wait'}`;
    const counts = gone === 0 ? wait : `${wait}, ${gone} ${gone === 1 ? 'is' : 'are'} lost (${inWords(lost)})`;
    warn(`Application Insights does not take what it is told of jobs: ${reason}; ${counts}.`);
    lost = none();
  }

  return {
    add(lines) {
      for (const line of lines) backlog.add(line);
      schedule();
    },
    async flush(withinMs) {
      const end = Date.now() + withinMs;
      const late = new AbortController();
      // All that sends is no reason for a process to go on; this is.
      const deadline = pause(withinMs, undefined, { signal: late.signal }).catch(() => undefined);
      // The pause that it has set itself after a failure is cut short once; one that it was asked for is kept.
      backOffUntil = 0;
      while ((sending !== undefined || backlog.waiting > 0) && Date.now() < end) {
        if (sending === undefined) {
          const goOn = Math.max(backOffUntil, leaveAloneUntil);
          if (goOn >= end) break;
          if (goOn > Date.now()) await pause(goOn - Date.now());
          begin();
        }
        await Promise.race([sending, deadline]);
      }
      late.abort();
      tell(true);
    },
  };
}

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

async function readBody(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LONGEST_ANSWER) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function isWorthAnotherTry(line: Line): boolean {
  line.refusals = (line.refusals ?? 0) + 1;
  return line.refusals < MOST_REFUSALS;
}

/** What became of each line. */
function judge(batch: Line[], { status, headers, text }: Answer): Outcome {
  const pauseMs = pauseOf(headers['retry-after']);
  const said = readAnswer(text);
  if (status === 200 || status === 206) {
    // What answers for it, such as the page of a proxy, has taken nothing.
    if (said === undefined) return { again: batch, refused: [], problem: 'something else answers for it', pauseMs };
    const errors = said.errors ?? [];
    if (errors.length === 0 && said.itemsAccepted < batch.length)
      return { again: batch, refused: [], problem: 'it takes only a part and does not say which', pauseMs };
    const failed = new Map(
      errors.filter(({ message }) => message !== SAMPLED_OUT).map((error) => [error.index, error]),
    );
    const areOthersTaken = failed.size < batch.length;
    const again = batch.filter(
      (line, index) => LATER.has(failed.get(index)?.statusCode ?? 0) && (!areOthersTaken || isWorthAnotherTry(line)),
    );
    const refused = batch.filter((line, index) => failed.has(index) && !again.includes(line));
    const [first] = failed.values();
    const problem = first && inSentence(first.statusCode, first.message, 'to some records');
    return { again, refused, problem, pauseMs };
  }
  const problem = inSentence(status, said?.errors?.[0]?.message);
  return LATER.has(status) || (status >= 300 && status < 400)
    ? { again: batch, refused: [], problem, pauseMs }
    : { again: [], refused: batch, problem, pauseMs };
}

/** Of a record that the resource has been told to leave out: it is taken and thrown away. */
const SAMPLED_OUT = 'Telemetry sampled out.';

const WAYS_OUT: Partial<Record<number, string>> = {
  401: 'give the identity of the app the role Monitoring Metrics Publisher, and set APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
  402: 'its daily cap is reached',
  403: 'give the identity of the app the role Monitoring Metrics Publisher',
};

function inSentence(status: number, message: string | null | undefined, to = ''): string {
  const said = sentenceOf(messageOf(message ?? ''));
  const details = [said, WAYS_OUT[status]].filter(Boolean).join('; ');
  return `it answers ${status}${to && ` ${to}`}${details && ` (${details})`}`;
}

function readAnswer(text: string): z.infer<typeof ANSWER> | undefined {
  try {
    return ANSWER.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Milliseconds that a Retry-After asks for, which is in seconds or a date. */
function pauseOf(retryAfter: string | undefined): number {
  if (retryAfter === undefined) return 0;
  const seconds = Number(retryAfter);
  const ms = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.now() : 1000 * seconds;
  return ms > 0 ? ms : 0;
}

/** All of a name but the machine, three words at least: `.in.applicationinsights.azure.com`. */
const DOMAIN = /(?<=^[^.]+)(\.[^.]+){2,}\.[a-z]+$/;

/** Where a redirect leads; only to the same machine or a neighbour in its domain, since the token goes along. */
function redirectOf(from: URL, { status, headers: { location } }: Answer): URL | undefined {
  if ((status !== 307 && status !== 308) || location === undefined || !URL.canParse(location, from.href))
    return undefined;
  const to = new URL(location, from);
  const domain = DOMAIN.exec(from.hostname)?.[0];
  const isNear = to.hostname === from.hostname || (domain !== undefined && DOMAIN.exec(to.hostname)?.[0] === domain);
  return to.protocol === from.protocol && isNear ? to : undefined;
}

function reasonOf(error: unknown, answerMs: number): string {
  const isLate = error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
  return isLate ? `it does not answer within ${answerMs / 1000} seconds` : sentenceOf(messageOf(error));
}

/** Fit to be quoted in a sentence. */
const sentenceOf = (text: string) => shorten(text).replace(/\.$/, '');

const inWords = (counts: Counts) =>
  IMPORTANCES.toReversed()
    .flatMap((importance) => (counts[importance] > 0 ? [counted(counts[importance], importance)] : []))
    .join(', ');

/** Keeps a token until shortly before it ends. */
function createTokens(credential: TokenCredential, scope: string) {
  let token: { token: string; endsAt: number } | undefined;
  const fetchToken = async () => {
    const answer = await credential.getToken(scope);
    if (answer === null) throw new Error('the login gives no token');
    token = { token: answer.token, endsAt: answer.expiresOnTimestamp };
    return answer.token;
  };
  return {
    /** @throws when there is none in time: a login can hang. */
    get: async (signal: AbortSignal): Promise<string> => {
      if (token !== undefined && Date.now() < token.endsAt - TOKEN_MARGIN_MS) return token.token;
      return await Promise.race([
        fetchToken(),
        new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('the login takes too long')), { once: true });
        }),
      ]);
    },
    forget: () => {
      token = undefined;
    },
  };
}
