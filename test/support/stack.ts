import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll } from 'vitest';
import { createJobClient, type JobClient } from '../../src/cli/client/client.js';
import type { JobStatus } from '../../src/api/job-status.js';
import { until } from './wait.js';

export interface TestStack {
  /** Temporary folder; the stack's data is in it. */
  folder: string;
  data: string;
  url: string;
  connectionString: string;
  /** Address of the Azure emulator, when the stack has one. */
  azure: string;
  storage: BlobServiceClient;
  client: JobClient;
  /** Waits for the end of the job, whatever it is. */
  ended(id: string): Promise<JobStatus>;
}

/** A look at a job is work for the stack, which is to score meanwhile. */
const LOOK_MS = 250;

/** One local stack, as `npm start` brings it up, for all tests of a file. */
export function useStack({ emulateAzure = false } = {}): TestStack {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-test-'));
  const stack = { folder, data: path.join(folder, 'data') } as TestStack;
  let stop: () => Promise<void> = () => Promise.resolve();
  beforeAll(async () => {
    const { startStack } = await import('../../dist/stack/stack.js');
    const started = await startStack({ folder: stack.data, emulateAzure, env: process.env });
    stop = started.stop;
    stack.url = started.url;
    stack.connectionString = started.storage;
    stack.azure = started.azure ?? '';
    stack.storage = BlobServiceClient.fromConnectionString(started.storage);
    stack.client = createJobClient(started.url, undefined);
    stack.ended = (id) => until(`the end of job ${id}`, () => endOf(stack, id), 60, LOOK_MS);
  });
  afterAll(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return stack;
}

async function endOf(stack: TestStack, id: string): Promise<JobStatus | undefined> {
  const status = await stack.client.status(id);
  return status.state === 'running' || status.state === 'queued' ? undefined : status;
}
