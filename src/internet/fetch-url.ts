import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { JobError, messageOf } from '../job/failure.js';
import { pinnedTo, publicAddressOf } from './addresses.js';

/** Files of the internet. Whatever is thrown is a `JobError`. */
export interface Urls {
  /** @throws JobError `user` when files of this URL's host are not fetched. */
  check: (url: string) => void;
  /** The bytes of a file, in parts. */
  fetch: (url: string, signal?: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
}

export interface UrlSettings {
  /** Hosts from which files may be fetched, in small letters; none: URLs are refused. */
  hosts: string[];
  /** Of a file. */
  mostBytes: number;
}

/** Without a byte for so long, nothing comes any more. */
const SILENCE_MS = 30_000;
/** However slowly it comes: an activity is not to be held up for ever. */
const LONGEST_MS = 2 * 3_600_000;

/**
 * Fetches files over https from the hosts that the settings name. The address of a host is checked and then connected to, so that nobody can
 * point its name at this network in between; redirects are not followed. The answer may lie: what is too large is cut off.
 * @param addressOf finds and checks the address of a host.
 * @param ca certificates to trust in place of the usual ones.
 */
export function createUrls(
  { hosts, mostBytes }: UrlSettings,
  {
    addressOf = (host: string) => publicAddressOf('The host', host),
    silenceMs = SILENCE_MS,
    ca,
  }: { addressOf?: (host: string) => Promise<string>; silenceMs?: number; ca?: string } = {},
): Urls {
  const check = (text: string) => requireHost(hosts, text);
  const fetch: Urls['fetch'] = async (text, stopped) => {
    check(text);
    const url = new URL(text);
    const address = await addressOf(url.hostname);
    const ends = [AbortSignal.timeout(LONGEST_MS), ...(stopped ? [stopped] : [])];
    const options = {
      lookup: pinnedTo(address),
      agent: false as const,
      ca,
      timeout: silenceMs,
      signal: AbortSignal.any(ends),
      headers: { 'user-agent': 'durable-batch-scoring', accept: '*/*', 'accept-encoding': 'identity' },
    };
    const answer = await get(url, options).catch((cause: unknown) => {
      throw broken(text, cause);
    });
    const problem = problemOf(text, answer, mostBytes);
    if (problem) {
      answer.destroy();
      throw problem;
    }
    return bytesOf(text, answer, mostBytes);
  };
  return { check, fetch };
}

function requireHost(hosts: string[], url: string): void {
  const { hostname } = new URL(url);
  if (hosts.includes(hostname)) return;
  const allowed = hosts.length === 0 ? 'from none' : `from ${hosts.join(', ')} alone`;
  throw new JobError(
    'user',
    `The app fetches files ${allowed}, and not from ${hostname}; upload the video, or have the host added to the setting INPUT_URL_HOSTS.`,
  );
}

function get(url: URL, options: https.RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let answer: IncomingMessage | undefined;
    const request = https.get(url, options, (response) => {
      answer = response;
      resolve(response);
    });
    request.on('timeout', () => (answer ?? request).destroy(new Error('nothing came any more')));
    request.on('error', reject);
  });
}

const broken = (url: string, cause: unknown) =>
  new JobError('platform', `${url} could not be fetched: ${messageOf(cause)}.`, { cause });

const tooLarge = (url: string, mostBytes: number) =>
  new JobError('user', `${url} has more than ${mostBytes} bytes, and no more are fetched (MOST_URL_GIB).`);

function problemOf(
  url: string,
  { statusCode: status = 0, headers }: IncomingMessage,
  mostBytes: number,
): JobError | undefined {
  if (status >= 300 && status < 400)
    return new JobError('user', `${url} leads to another address, and none is followed; name that one.`);
  const passes = [408, 425, 429].includes(status) || status >= 500;
  if (status !== 200) return new JobError(passes ? 'platform' : 'user', `${url} answered ${status}.`);
  return Number(headers['content-length'] ?? 0) > mostBytes ? tooLarge(url, mostBytes) : undefined;
}

async function* bytesOf(url: string, answer: IncomingMessage, mostBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw tooLarge(url, mostBytes);
      yield chunk;
    }
  } catch (cause) {
    throw cause instanceof JobError ? cause : broken(url, cause);
  }
}
