import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { type ContainerClient, RestError } from '@azure/storage-blob';
import pMap from 'p-map';
import { type LogLine, logLine, parseLogLine } from '../../container-contract/log-line.js';
import { again } from '../../container-contract/storage-access.js';
import { JobError } from '../../job/failure.js';
import { isNotFound, listBlobs, type Storage } from '../../storage/storage.js';
import { jobOf, logsPrefix, parseBatchBlob, tasksPrefix } from '../layout.js';
import { isWhole } from './logs.js';
import { listSettled } from './settled.js';

/** Lines of a page at most; and bytes, and those of one log. */
const MOST_LINES = 1000;
const MOST_BYTES = 512 * 1024;
const BYTES_OF_ONE = 256 * 1024;
const READS = 8;
/** Attempts that a reader is in the middle of at most: what it hands back must fit into a URL. */
const MOST_OPEN = 200;
const FOUR_NUMBERS = '[0-9a-z]{1,7}(?:\\.[0-9a-z]{1,7}){3}';
/** Later than anything, in seconds since the epoch. */
const END_OF_TIME = 9_999_999_999;

export interface LogPage {
  lines: LogLine[];
  /** Whether there are more lines already. */
  more: boolean;
  /** Where the next page begins; undefined when the job is over and there is nothing more. */
  next: string | undefined;
}

export interface LogQuery {
  /** All, where left out. */
  batch?: number | undefined;
  attempt?: number | undefined;
  /** `next` of the page before; '' for the first one. */
  from: string;
  /** Whether the job was over before this was asked: then no further attempt begins. */
  isOver: boolean;
}

/**
 * Where a reader is. It reads the attempts that were begun in a stretch of time in the order of their batches, then those of the next
 * stretch. So it misses none that begins behind its back, and what it has to remember stays short.
 */
interface Cursor {
  /** Attempts begun before it are behind the reader; in seconds since the epoch, on the storage's clock. */
  behind: number;
  /** Attempts begun from `behind` on and before it are being read. */
  until: number;
  /** The last of them that was looked at; attempt 0 before the first. */
  batch: number;
  attempt: number;
  /** Attempts that were looked at and of which more is to come. */
  open: Place[];
}

/** How far an attempt's log was read. */
interface Place {
  batch: number;
  attempt: number;
  /** Bytes of the log. */
  offset: number;
  /** Whether the bytes are of the whole log, to which the platform has added what it kept, and not of the one that the scorer writes. */
  isWhole: boolean;
  /** Lines of the scorer's own that were read while it wrote; of a whole log those that must still be passed over. */
  own: number;
}

interface Attempt {
  batch: number;
  attempt: number;
  /** When its task was written, in seconds since the epoch. */
  begun: number;
  /** Whether its log gets no further line. */
  isComplete: boolean;
}

interface Log {
  blob: string;
  bytes: number;
  version: string;
  isWhole: boolean;
}

/**
 * Some of what the containers of a job have said, from what is in storage. A reader that goes on from page to page gets every line once.
 * @throws JobError `user` when `from` is none of the earlier pages' `next`.
 */
export async function readLogPage(storage: Storage, jobId: string, query: LogQuery): Promise<LogPage> {
  const cursor = parseCursor(query.from);
  const container = jobOf(storage, jobId);
  const { attempts, now } = await listAttempts(storage, jobId, query);
  // After the attempts: the log of one that is complete is listed with its last byte.
  const reader = new Reader(container, jobId, await listLogs(container, query.batch), cursor);
  cursor.open = cursor.open.filter((place) => attempts.some((each) => isSame(each, place)));
  const begun = attempts.filter((each) => cursor.open.some((place) => isSame(each, place)));
  let goesOn = await reader.read([...begun, ...attempts.filter((each) => isAhead(each, cursor))]);
  while (goesOn) {
    cursor.behind = cursor.until;
    if (now <= cursor.until) break;
    Object.assign(cursor, { until: now, ...BEFORE_ALL });
    goesOn = await reader.read(attempts.filter((each) => isAhead(each, cursor)));
  }
  const isEnd = query.isOver && goesOn && cursor.open.length === 0;
  return { lines: reader.lines, more: reader.isFull, next: isEnd ? undefined : formatCursor(cursor) };
}

const BEFORE_ALL = { batch: 0, attempt: 0 };

interface Key {
  batch: number;
  attempt: number;
}

const isSame = (one: Key, other: Key) => one.batch === other.batch && one.attempt === other.attempt;
const inOrder = (one: Key, other: Key) => one.batch - other.batch || one.attempt - other.attempt;

/** Whether the reader has not come to it in the stretch of time that it reads now. */
const isAhead = (each: Attempt, cursor: Cursor) =>
  each.begun >= cursor.behind &&
  each.begun < cursor.until &&
  inOrder(each, cursor) > 0 &&
  !cursor.open.some((place) => isSame(each, place));

/** Fills one page. */
class Reader {
  readonly lines: LogLine[] = [];
  isFull = false;
  #bytes = 0;

  constructor(
    private readonly container: ContainerClient,
    private readonly job: string,
    private readonly logs: Map<string, Log>,
    private readonly cursor: Cursor,
  ) {}

  /**
   * Reads on in these attempts.
   * @returns false when the page was full before all were read, or too many attempts are open.
   */
  async read(attempts: Attempt[]): Promise<boolean> {
    const { cursor } = this;
    const sorted = attempts.toSorted(inOrder);
    for (let index = 0; index < sorted.length; index += READS) {
      const group = sorted.slice(index, index + READS).map((attempt) => {
        const open = cursor.open.find((place) => isSame(place, attempt));
        const { batch, attempt: number } = attempt;
        return { attempt, open, place: open ?? { batch, attempt: number, offset: 0, isWhole: false, own: 0 } };
      });
      const parts = await pMap(group, ({ place }) => this.#fetch(place), { concurrency: READS });
      for (const [k, { attempt, open, place }] of group.entries()) {
        if (this.isFull || (!open && cursor.open.length >= MOST_OPEN)) return false;
        const isRead = this.#take(place, parts[k]);
        if (!open) Object.assign(cursor, { batch: place.batch, attempt: place.attempt });
        // One whose task was written anew is passed with those of that time only.
        const isPassed = isRead && attempt.isComplete && attempt.begun < cursor.until;
        cursor.open = cursor.open.filter((each) => each !== place);
        if (!isPassed) cursor.open.push(place);
      }
    }
    return !this.isFull;
  }

  /** What a log has beyond the place. */
  async #fetch(place: Place): Promise<Part | undefined> {
    const log = this.logs.get(logKey(place));
    if (!log) return undefined;
    const offset = log.isWhole && !place.isWhole ? 0 : place.offset;
    const count = Math.min(log.bytes - offset, BYTES_OF_ONE);
    const part = { offset, isWhole: log.isWhole, isLast: offset + count >= log.bytes };
    if (count <= 0) return { ...part, text: '' };
    // With the end of the line before: a place is never within a line.
    const before = offset === 0 ? 0 : 1;
    const bytes = await readRange(this.container, log, offset - before, count + before);
    if (bytes === undefined) return { ...part, isLast: false, text: '' };
    if (before === 1 && !bytes.startsWith('\n')) throw notACursor();
    return { ...part, text: bytes.slice(before) };
  }

  /** @returns whether the log was read to its end. */
  #take(place: Place, part: Part | undefined): boolean {
    if (!part) return true;
    Object.assign(place, { offset: part.offset, isWhole: part.isWhole });
    const end = part.text.lastIndexOf('\n') + 1;
    // A line of ours is never so long that a part holds no end of one.
    const whole = end === 0 ? part.text : part.text.slice(0, end);
    for (const line of whole.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
      if (this.lines.length >= MOST_LINES || this.#bytes >= MOST_BYTES) {
        this.isFull = true;
        return false;
      }
      place.offset += Buffer.byteLength(line);
      this.#bytes += line.length;
      this.#show(place, line.trimEnd());
    }
    if (!part.isLast) this.isFull = true;
    return part.isLast;
  }

  #show(place: Place, text: string): void {
    const source = { job: this.job, batch: place.batch, attempt: place.attempt };
    const line =
      parseLogLine(text) ?? logLine(source, { time: new Date(0).toISOString(), level: 'info', message: text });
    if (line.stream === undefined && place.isWhole && place.own > 0) {
      place.own -= 1;
      return;
    }
    if (line.stream === undefined && !place.isWhole) place.own += 1;
    this.lines.push(line);
  }
}

/** Some of a log, from an offset on. */
interface Part {
  offset: number;
  text: string;
  isWhole: boolean;
  /** Whether the log ends here. */
  isLast: boolean;
}

/** Undefined when the log was written anew since it was listed: the next page has it. */
async function readRange(
  container: ContainerClient,
  { blob, version }: Log,
  offset: number,
  count: number,
): Promise<string | undefined> {
  try {
    return await again(async () => {
      const { readableStreamBody } = await container
        .getBlobClient(blob)
        .download(offset, count, { conditions: { ifMatch: version } });
      return textOf(readableStreamBody ?? Readable.from([]));
    });
  } catch (error) {
    if (isNotFound(error) || (error instanceof RestError && error.statusCode === 412)) return undefined;
    throw error;
  }
}

/** The attempts that were launched, and the moment before which all that were launched are listed, in seconds on the storage's clock. */
async function listAttempts(
  storage: Storage,
  jobId: string,
  { batch, attempt, isOver }: LogQuery,
): Promise<{ attempts: Attempt[]; now: number }> {
  const [tasks, settled] = await Promise.all([
    listTasks(jobOf(storage, jobId), batch),
    isOver ? [] : listSettled(storage, jobId),
  ]);
  const standing = new Map(settled.map((each) => [each.batch, each]));
  const last = new Map<number, number>();
  // One that helps others is there while they are.
  for (const task of tasks.found)
    if (!task.helps) last.set(task.batch, Math.max(task.attempt, last.get(task.batch) ?? 0));
  const isComplete = (task: Key) => {
    const its = standing.get(task.batch);
    const isSettled = its !== undefined && its.attempt >= task.attempt && its.state !== 'retrying';
    return isOver || isSettled || task.attempt < (last.get(task.batch) ?? 0);
  };
  return {
    attempts: tasks.found
      .filter((task) => attempt === undefined || task.attempt === attempt)
      .map((task) => ({ ...task, isComplete: isComplete(task) })),
    now: isOver ? END_OF_TIME : tasks.now,
  };
}

interface Task extends Key {
  begun: number;
  /** Whether it helps another one of its batch. */
  helps: boolean;
}

async function listTasks(
  container: ContainerClient,
  batch: number | undefined,
): Promise<{ found: Task[]; now: number }> {
  try {
    return await again(async () => {
      const found: Task[] = [];
      let now: number | undefined;
      for await (const page of container
        .listBlobsFlat({ prefix: tasksPrefix(batch), includeMetadata: true })
        .byPage()) {
        // A second is over for all of its servers a second later.
        now ??= Math.floor((page.date?.getTime() ?? 0) / 1000) - 1;
        for (const { name, properties, metadata } of page.segment.blobItems) {
          const key = parseBatchBlob(name);
          const begun = Math.floor(properties.lastModified.getTime() / 1000);
          if (key) found.push({ ...key, begun, helps: metadata?.helps !== undefined });
        }
      }
      return { found, now: now ?? 0 };
    });
  } catch (error) {
    if (isNotFound(error)) return { found: [], now: 0 };
    throw error;
  }
}

async function listLogs(container: ContainerClient, batch: number | undefined): Promise<Map<string, Log>> {
  const found = new Map<string, Log>();
  for await (const { name, metadata, properties } of listBlobs(container, {
    prefix: logsPrefix(batch),
    includeMetadata: true,
  })) {
    const key = parseBatchBlob(name);
    const { contentLength = 0, etag } = properties;
    if (key) found.set(logKey(key), { blob: name, bytes: contentLength, version: etag, isWhole: isWhole(metadata) });
  }
  return found;
}

const logKey = ({ batch, attempt }: Key) => `${batch}.${attempt}`;

/** Numbers to the base of 36; `-` marks a place in a whole log. */
const formatCursor = ({ behind, until, batch, attempt, open }: Cursor): string =>
  [
    numbers(behind, until, batch, attempt),
    ...open.map((place) => numbers(place.batch, place.attempt, place.offset, place.own) + (place.isWhole ? '-' : '')),
  ].join('~');

const numbers = (...values: number[]) => values.map((value) => value.toString(36)).join('.');

const CURSOR = new RegExp(`^${FOUR_NUMBERS}(?:~${FOUR_NUMBERS}-?){0,${MOST_OPEN}}$`);

function parseCursor(from: string): Cursor {
  if (from === '') return { behind: 0, until: 0, ...BEFORE_ALL, open: [] };
  if (!CURSOR.test(from)) throw notACursor();
  const [all = '', ...open] = from.split('~');
  const [behind, until, batch, attempt] = parseNumbers(all);
  return { behind, until, batch, attempt, open: open.map(parsePlace) };
}

function parsePlace(text: string): Place {
  const [batch, attempt, offset, own] = parseNumbers(text);
  return { batch, attempt, offset, own, isWhole: text.endsWith('-') };
}

function parseNumbers(text: string): [number, number, number, number] {
  const [first = 0, second = 0, third = 0, fourth = 0] = text.split('.').map((part) => Number.parseInt(part, 36));
  return [first, second, third, fourth];
}

const notACursor = () => new JobError('user', '"from" must be what the answer before gave as "next".');
