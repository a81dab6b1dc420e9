import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { open as openFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { TelemetryRecord } from '../../telemetry/records.js';

/** Where the app and the Functions host write what they report, one line of JSON each. */
export interface SpanFiles {
  app: string;
  host: string;
}

export const spanFilesIn = (folder: string): SpanFiles => ({
  app: path.join(folder, 'app.jsonl'),
  host: path.join(folder, 'host.jsonl'),
});

/** What is put into that folder: the files, and a page for each job. */
export const isOfTraces = (name: string) => /^((app|host)\.jsonl(\.tmp)?|trace-[\w-]+\.html)$/.test(name);

const text = z.string();
const time = text.refine((value) => !Number.isNaN(Date.parse(value)));
const common = {
  traceId: text,
  id: text,
  parentId: text.optional(),
  name: text,
  role: z.enum(['app', 'scorer', 'host']),
  dimensions: z.record(text, text),
};
const recordSchema: z.ZodType<TelemetryRecord> = z.discriminatedUnion('type', [
  z.object({
    ...common,
    type: z.literal('span'),
    kind: z.enum(['server', 'consumer', 'client', 'internal']),
    start: time,
    end: time,
    ok: z.boolean(),
  }),
  z.object({ ...common, type: z.literal('event'), time, measurements: z.record(text, z.number()) }),
]);

/** What a line says, and whether all of it could be read: behind the half line of a process that was killed another may stand. */
export function parseLine(line: string): { record?: TelemetryRecord; whole: boolean } {
  const record = parseRecord(line);
  if (record) return { record, whole: true };
  const next = line.lastIndexOf('{"type":');
  return { record: next > 0 ? parseRecord(line.slice(next)) : undefined, whole: false };
}

function parseRecord(line: string): TelemetryRecord | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** All that the files hold of a trace. `unreadable` counts the lines about it that are no records. */
export async function readTrace(
  files: SpanFiles,
  traceId: string,
): Promise<{ records: TelemetryRecord[]; unreadable: number }> {
  const records: TelemetryRecord[] = [];
  let unreadable = 0;
  for (const file of [files.app, files.host]) {
    for await (const line of linesOf(file)) {
      if (!line.includes(traceId)) continue;
      const { record, whole } = parseLine(line);
      if (record?.traceId === traceId) records.push(record);
      if (!whole) unreadable += 1;
    }
  }
  return { records, unreadable };
}

/** The lines of a file; none of one that is not there. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const handle = await openFile(file).catch(() => undefined);
  if (!handle) return;
  try {
    yield* createInterface({ input: createReadStream('', { fd: handle, autoClose: false }), crlfDelay: Infinity });
  } finally {
    await handle.close();
  }
}

/** What a record says about the beginning or the end of a job. */
export interface JobSign {
  job: string;
  traceId: string;
  sign: 'started' | 'told its end' | 'ended';
}

/** The job's own events tell of it, and so does the host, whose span of the orchestration is the last of a job. */
export function jobSign({ type, name, traceId, dimensions, ...more }: TelemetryRecord): JobSign | undefined {
  const { job } = dimensions;
  if (type === 'event' && job !== undefined) {
    if (name === 'job.started') return { job, traceId, sign: 'started' };
    if (name === 'job.ended') return { job, traceId, sign: 'told its end' };
  }
  const instance = dimensions['durabletask.task.instance_id'];
  if (type !== 'span' || instance === undefined) return undefined;
  if (name === 'create_orchestration:scoreJob') return { job: instance, traceId, sign: 'started' };
  if (name === 'orchestration:scoreJob' && 'kind' in more && more.kind === 'server')
    return { job: instance, traceId, sign: 'ended' };
  return undefined;
}

/** Jobs that nobody has heard of for so long do not go on. */
const FORGOTTEN_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * Removes everything from the files but the traces of jobs that go on: those that started and have not ended.
 * @param now milliseconds since the epoch.
 */
export async function keepOpenTraces({ app, host }: SpanFiles, now: number): Promise<void> {
  const started = new Map<string, string>();
  const ended = new Set<string>();
  const latest = new Map<string, number>();
  for (const file of [app, host]) {
    for await (const line of linesOf(file)) {
      const { record } = parseLine(line);
      if (!record) continue;
      const at = Date.parse(record.type === 'span' ? record.end : record.time);
      latest.set(record.traceId, Math.max(at, latest.get(record.traceId) ?? 0));
      const sign = jobSign(record);
      if (sign?.sign === 'started') started.set(sign.job, sign.traceId);
      else if (sign) ended.add(sign.job);
    }
  }
  const open = new Set([...started].filter(([job]) => !ended.has(job)).map(([, traceId]) => traceId));
  for (const traceId of open) if (now - (latest.get(traceId) ?? 0) > FORGOTTEN_MS) open.delete(traceId);
  for (const file of [app, host]) {
    if (open.size === 0) await rm(file, { force: true });
    else await keepLines(file, (record) => open.has(record.traceId));
  }
}

async function keepLines(file: string, isKept: (record: TelemetryRecord) => boolean): Promise<void> {
  const kept = `${file}.tmp`;
  const stream = createWriteStream(kept);
  for await (const line of linesOf(file)) {
    const { record, whole } = parseLine(line);
    if (!record || !isKept(record)) continue;
    if (!stream.write(`${whole ? line : JSON.stringify(record)}\n`)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'finish');
  await rename(kept, file);
}

/** Reads a file that grows: each call gives the lines that have become whole since the last one. */
export function createTail(file: string): () => Promise<string[]> {
  let position = 0;
  let rest = Buffer.alloc(0);
  return async () => {
    const handle = await openFile(file).catch(() => undefined);
    if (!handle) return [];
    try {
      const { size } = await handle.stat();
      if (size <= position) return [];
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(size - position, MOST_BYTES)), {
        position,
      });
      position += bytesRead;
      const all = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      const end = all.lastIndexOf('\n') + 1;
      rest = all.subarray(end);
      return all.subarray(0, end).toString().split('\n').filter(Boolean);
    } finally {
      await handle.close();
    }
  };
}

/** What one look at a file that grows reads. */
const MOST_BYTES = 32 * 1024 * 1024;
