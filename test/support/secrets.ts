import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { TableClient } from '@azure/data-tables';
import { jobContainer } from '../../src/job-store/layout.js';
import type { TestStack } from './stack.js';

/** Signatures, keys and tokens; the key of Azurite is among them. */
export const SECRET = /\bsig=|sig%3D|AccountKey=|InstrumentationKey|Eby8vdM02x|\bBearer |eyJ[\w-]{8,}\.|\bcode=/;

/** A place, and the text that it holds. */
export type Left = [place: string, text: string];

/** Rows of the tables of all orchestrations that a stack has run. */
export async function historyOf({ connectionString }: TestStack): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  for (const table of ['BatchScoringHistory', 'BatchScoringInstances']) {
    const client = TableClient.fromConnectionString(connectionString, table, { allowInsecureConnection: true });
    for await (const row of client.listEntities()) rows.push(row);
  }
  return rows;
}

/** Bytes of the largest text that rows hold of an input, a result or a custom status, and events of the longest history. */
export function sizesOf(rows: Record<string, unknown>[]): { payload: number; events: number } {
  let payload = 0;
  const events = new Map<unknown, number>();
  for (const { partitionKey, EventType, Input, Result, Output, CustomStatus } of rows) {
    for (const text of [Input, Result, Output, CustomStatus])
      payload = Math.max(payload, typeof text === 'string' ? Buffer.byteLength(text) : 0);
    if (EventType !== undefined) events.set(partitionKey, (events.get(partitionKey) ?? 0) + 1);
  }
  return { payload, events: Math.max(...events.values()) };
}

/** The records of a job in the internal account. */
export async function recordsOf({ storage }: TestStack, id: string): Promise<Left[]> {
  const container = storage.getContainerClient(jobContainer(id));
  const found: Left[] = [];
  for await (const { name } of container.listBlobsFlat())
    found.push([name, (await container.getBlobClient(name).downloadToBuffer()).toString('latin1')]);
  return found;
}

/** Logs and other files of lines in a folder. */
export const filesIn = (folder: string): Left[] =>
  readdirSync(folder)
    .filter((name) => /\.(log|jsonl)$/.test(name))
    .map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]);

/** What stands around each secret; nothing is what a test expects. */
export const secretsIn = (left: Left[]): string[] =>
  left.flatMap(([place, text]) => {
    const at = text.search(SECRET);
    return at < 0 ? [] : [`${place}: …${text.slice(Math.max(0, at - 80), at + 40)}…`];
  });
