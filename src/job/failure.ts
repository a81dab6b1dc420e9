/**
 * Whose failure it is. This is the only classification of failures, from the scorer to the job's status, and it decides what happens next:
 *
 * - `user`: something the user or the operator must change; it ends the job at once, with a sentence that says what to change.
 * - `item`: one image cannot be scored; it is listed by name and counts against the job's tolerance.
 * - `platform`: capacity, quota, throttling, eviction, the network; waited out, and not charged to the batch's attempts.
 * - `attempt`: none of these; the container run is to blame and is charged to the batch's attempts.
 */
export type Blame = 'user' | 'item' | 'platform' | 'attempt';

/**
 * The only error class of the project.
 * `message` is one sentence that a user can act on; it never holds a secret.
 */
export class JobError extends Error {
  readonly blame: Blame;
  /** How many seconds the platform asked to be left alone for, if it did. */
  readonly retryAfterSeconds: number | undefined;
  /** Whether nothing failed: other containers of this app are first in line. */
  readonly inLine: boolean;
  /** Whether the compute has no room for the container, so that another one may have it: now or, with the user to blame, ever. */
  readonly noRoom: boolean;
  /** Whether a frame that the app has stored is gone or damaged, so that it is to be split from its video again. */
  readonly lostFrame: boolean;

  constructor(
    blame: Blame,
    message: string,
    options?: ErrorOptions & {
      retryAfterSeconds?: number | undefined;
      inLine?: boolean;
      noRoom?: boolean;
      lostFrame?: boolean;
    },
  ) {
    super(message, options);
    this.name = 'JobError';
    this.blame = blame;
    this.retryAfterSeconds = options?.retryAfterSeconds;
    this.inLine = options?.inLine ?? false;
    this.noRoom = options?.noRoom ?? false;
    this.lostFrame = options?.lostFrame ?? false;
  }
}

/** The message of anything that was thrown, on one line and without secrets. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return hideSecrets(text.replace(/\s+/g, ' ').trim());
}

/** Signatures, keys and tokens as they stand in URLs, connection strings and headers, also where those are quoted in another URL. */
const SECRETS = [
  /(?:\b|(?<=%26|%3F))(sig|accountkey|sharedaccesskey|sharedaccesssignature|instrumentationkey|client_secret|access_token|password)(=|%3D)[^&;,\s"'<>)\]}]*/gi,
  /(?<=[?&]|%3F|%26)code(=|%3D)[^&;,\s"'<>)\]}]*/gi,
  /\b(x-functions-key|authorization)["']?\s*[:=]\s*["']?(bearer\s+)?[^\s"',;]+/gi,
  /\bbearer\s+[\w.~+/-]{16,}=*/gi,
  // The same in JSON, and the scorer's sealed environment.
  /\b(accountkey|sharedaccesskey|instrumentationkey|password|scorer_key|scorer_sealed)["']?\s*[:=]\s*["']?[^\s"',;]+/gi,
  // Bare keys of storage accounts (64 bytes in base64), and signatures and sealing keys (32 bytes).
  /(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=)(?![A-Za-z0-9+/=])/g,
  // JSON Web Tokens.
  /\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?/g,
  // Credentials before the host of a URL.
  /(?<=:\/\/)[^\s/@:]+:[^\s/@]+(?=@)/g,
];

/**
 * What steers a terminal, and what turns the direction of the text that follows: control characters other than white space, and the explicit
 * directional formatting of https://www.unicode.org/reports/tr9/.
 */
const STEERING = /[^\P{Cc}\t\n\r]|[\u202a-\u202e\u2066-\u2069]/gu;

/** A text that may quote what users, platforms, models and SDKs have written, fit to be shown and kept. */
export const hideSecrets = (text: string): string =>
  SECRETS.reduce((shown, secret) => shown.replace(secret, '[hidden]'), text).replace(STEERING, '\ufffd');

/** A text as it is, but for what would steer a terminal that shows it. */
export const steeringNothing = (text: string): string => text.replace(STEERING, '\ufffd').replaceAll('\r', '\ufffd');

/** The same as a line that no name in it, and nothing else that it quotes, ends early. */
export const unbroken = (line: string): string => steeringNothing(line).replaceAll('\n', '\ufffd');

/** Longest sentence that is kept of a failure, in bytes of JSON. */
const LONGEST_MESSAGE = 800;
const HEAD_SHARE = 0.6;

/** What a value takes in a history. */
export const jsonBytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).length;
const bytesOf = (text: string) => jsonBytes(text) - jsonBytes('');

/** A text without its middle, where it is longer: sentences begin with what is wrong and end with what to do. @param most bytes of JSON. */
export function shorten(text: string, most = LONGEST_MESSAGE): string {
  if (bytesOf(text) <= most) return text;
  const letters = Array.from(text);
  const room = most - bytesOf('…');
  const head = fitting(letters, room * HEAD_SHARE);
  const tail = fitting(letters.toReversed(), room - bytesOf(head.join('')));
  return `${head.join('')}…${tail.toReversed().join('')}`;
}

function fitting(letters: string[], most: number): string[] {
  let bytes = 0;
  const end = letters.findIndex((letter) => (bytes += bytesOf(letter)) > most);
  return end < 0 ? letters : letters.slice(0, end);
}

const LONGEST_WARNING = 500;
/** Of an activity that warns, in bytes of JSON. */
const MOST_WARNED = 1500;

/** The first of some warnings, and how many more there are, as far as a history is to hold them. @param most bytes of JSON. */
export function fewWarnings(warnings: string[], most = MOST_WARNED): string[] {
  const short = warnings.map((warning) => shorten(hideSecrets(warning), LONGEST_WARNING));
  if (jsonBytes(short) <= most) return short;
  for (let kept = short.length - 1; kept > 0; kept -= 1) {
    const few = [...short.slice(0, kept), `There are ${counted(short.length - kept, 'more warning')}.`];
    if (jsonBytes(few) <= most) return few;
  }
  return [];
}

/**
 * The failure of a function that the host itself has ended, which it reports as a text of several lines: the reason, then a record of the
 * exception with its stack.
 */
export function hostFailure(name: string, error: unknown): Failure {
  const reason = hostReason(error instanceof Error ? error.message : String(error));
  return { blame: 'platform', message: `The Functions host ended ${name}: ${reason}.` };
}

/** What the first line of such a text says, without the names of the functions that it went through. */
export function hostReason(text: string): string {
  const [line = ''] = hideSecrets(text).split(/ \n |[\r\n]/, 1);
  const reason = line.replace(/^((Activity|Orchestrator) function '[^']*' failed:\s*)+/, '').trim();
  return shorten(reason === '' ? 'it gave no reason' : reason).replace(/[.?\s]+$/, '');
}

/** The error code with which the local storage refuses to write when its disk is full. */
export const DISK_FULL = 'DiskFull';

/** A number and the word for what it counts: `1 frame`, `2 frames`, `2 batches`. */
export function counted(count: number, one: string): string {
  if (count === 1) return `1 ${one}`;
  return `${count} ${one}${/(s|ch)$/.test(one) ? 'es' : 's'}`;
}

/** A failure as a value, as it travels through orchestrators and records. */
export interface Failure {
  blame: Blame;
  /** One sentence. */
  message: string;
  /** The least time to wait before trying again, when the platform named one. */
  retryAfterSeconds?: number;
  /** Set where nothing failed: other containers of this app are first in line, and waiting for them has no end of patience. */
  inLine?: true;
  /** Set where the compute has no room for the container at the moment: another one may have it. */
  noRoom?: true;
  /** Set where what has ended the container is over, so that the next one need not wait for it to pass. */
  isOver?: true;
}

/**
 * What every activity returns. Failures travel as values: of a thrown error only the text would survive the host, and a
 * throwing branch would end a Task.all while its siblings still run.
 */
export type Outcome<T> = { ok: true; value: T } | { ok: false; failure: Failure };
