import { signal, type Signal } from '@preact/signals';

/** What the app says when it does not do what it was asked, or that it does not answer: a sentence for people. */
export class Refusal extends Error {
  constructor(
    message: string,
    /** 0: it does not answer. */
    readonly status: number,
    /** How long it wants to be left alone, in seconds. */
    readonly retryAfter: number | undefined,
  ) {
    super(message);
  }
}

/** An answer, and the version that it is of; undefined: it is still that version. */
export interface Version<T> {
  data: T;
  etag: string | undefined;
}

export interface Connection {
  /** What it needs before the app answers, once the app has refused an answer for the lack of it: a key, or a login of Entra ID. */
  lacks: Signal<'nothing' | 'key' | 'right key' | 'login'>;
  /** Goes on with the key that the user has given. */
  useKey: (key: string) => void;
  /**
   * @param path below the page's own address, as in `jobs?state=done`.
   * @throws Refusal
   */
  get: <T>(path: string, signal?: AbortSignal) => Promise<T>;
  /** As `get`; undefined when the app's answer is still the one of this version. */
  getSince: <T>(path: string, etag: string | undefined, signal?: AbortSignal) => Promise<Version<T> | undefined>;
  /** @throws Refusal */
  send: <T>(method: 'POST' | 'DELETE', path: string, body?: object, headers?: Record<string, string>) => Promise<T>;
}

const KEY = 'functions-key';

/**
 * Asks the app with the key that the user has given, which is kept for as long as the tab is open and is in no address.
 * @param ask the browser's `fetch`.
 * @param kept the browser's `sessionStorage`.
 */
export function createConnection({
  ask,
  kept,
}: {
  ask: typeof fetch;
  kept: Pick<Storage, 'getItem' | 'setItem'>;
}): Connection {
  const lacks = signal<'nothing' | 'key' | 'right key' | 'login'>('nothing');
  let goOn: () => void = () => undefined;
  let given = Promise.resolve();

  async function answerTo(path: string, init: RequestInit, etag?: string): Promise<Response> {
    for (;;) {
      await given;
      const key = kept.getItem(KEY);
      const headers = new Headers(init.headers);
      // Else the app sends it on to storage, where no browser follows with a key.
      headers.set('accept', 'application/json');
      if (key !== null) headers.set('x-functions-key', key);
      if (etag !== undefined) headers.set('if-none-match', etag);
      const answer = await ask(path, { ...init, headers, cache: 'no-store' }).catch((error: unknown) => {
        if (init.signal?.aborted === true) throw error;
        throw new Refusal(NO_ANSWER, 0, undefined);
      });
      if (answer.ok || answer.status === 304) return answer;
      const refusal = await refusalOf(answer);
      if (answer.status !== 401) throw refusal;
      // The Functions host says nothing with it; the app does, where Entra ID is to tell who calls.
      if (refusal.message !== '') {
        lacks.value = 'login';
        throw refusal;
      }
      // Another request may have asked for the key already, or the user has just given one.
      if (kept.getItem(KEY) === key && lacks.value === 'nothing') {
        lacks.value = key === null ? 'key' : 'right key';
        given = new Promise((resolve) => (goOn = resolve));
      }
    }
  }

  async function getSince<T>(path: string, etag: string | undefined, abort?: AbortSignal) {
    const answer = await answerTo(path, { signal: abort ?? null }, etag);
    if (answer.status === 304) return undefined;
    return { data: await read<T>(answer), etag: answer.headers.get('etag') ?? undefined };
  }

  return {
    lacks,
    useKey: (key) => {
      // A header cannot carry it: with it no request would leave the browser, also after the page is loaded again.
      if (!/^[\x21-\x7e]+$/.test(key)) {
        lacks.value = 'right key';
        return;
      }
      kept.setItem(KEY, key);
      lacks.value = 'nothing';
      goOn();
    },
    getSince,
    get: async <T>(path: string, abort?: AbortSignal) => {
      const version = await getSince<T>(path, undefined, abort);
      if (!version) throw new Refusal(NO_SENSE, 0, undefined);
      return version.data;
    },
    send: async <T>(method: 'POST' | 'DELETE', path: string, body?: object, headers: Record<string, string> = {}) => {
      const typed: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const init = {
        method,
        headers: { ...headers, ...typed },
        body: body === undefined ? null : JSON.stringify(body),
      };
      return await read<T>(await answerTo(path, init));
    },
  };
}

const NO_ANSWER = 'The app does not answer; check that it runs and that you are online.';
const NO_SENSE = 'The answer of the app cannot be read; try again, or load the page again.';

async function read<T>(answer: Response): Promise<T> {
  const text = await answer.text().catch(() => {
    throw new Refusal(NO_ANSWER, 0, undefined);
  });
  if (text === '') return undefined as T;
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Refusal(NO_SENSE, 0, undefined);
  }
}

async function refusalOf(answer: Response): Promise<Refusal> {
  const said: unknown = await answer
    .json()
    .then((body: unknown) => (typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined))
    .catch(() => undefined);
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : undefined;
  if (typeof said === 'string' && said !== '') return new Refusal(said, answer.status, retryAfter);
  if (answer.status === 401) return new Refusal('', 401, retryAfter);
  if (answer.status === 403) return new Refusal('The app does not let this key do that.', 403, retryAfter);
  return new Refusal(
    `The app answered with HTTP ${answer.status}; try again a little later.`,
    answer.status,
    retryAfter,
  );
}
