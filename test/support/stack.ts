import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, inject } from 'vitest';
import { createJobClient, type JobClient } from '../../src/cli/client/client.js';
import type { JobStatus } from '../../src/api/jobs.js';
import { LOOK_MS, until } from './wait.js';

/** Where a local stack is. */
export interface StackAddress {
  /** Folder of the stack's data and logs. */
  data: string;
  url: string;
  connectionString: string;
  /** Address of the Azure emulator; empty without one. */
  azure: string;
}

export interface TestStack extends StackAddress {
  /** Temporary folder of the test file. */
  folder: string;
  storage: BlobServiceClient;
  client: JobClient;
  /** Stops the stack before the end of the test file. */
  stop: () => Promise<void>;
  /** Waits for the end of the job, whatever it is. */
  ended: (id: string, seconds?: number) => Promise<JobStatus>;
}

/** The local stack that all test files share, as `npm start` brings it up. */
export function useStack(): TestStack {
  const stack = { folder: temporaryFolder() } as TestStack;
  beforeAll(() => connect(stack, inject('stack')));
  afterAll(() => rmSync(stack.folder, { recursive: true, force: true }));
  return stack;
}

/** What a stack with telemetry writes into the folder of the test file. */
export const TOLD = 'telemetry.jsonl';
export const SPANS = 'spans.jsonl';

/** A local stack of the test file's own, with an Azure emulator and with telemetry if asked for. */
export function useOwnStack({
  emulateAzure = false,
  telemetry = false,
  env = {},
}: {
  emulateAzure?: boolean;
  telemetry?: boolean;
  env?: NodeJS.ProcessEnv;
}): TestStack {
  const stack = { folder: temporaryFolder() } as TestStack;
  let stop: () => Promise<void> = () => Promise.resolve();
  beforeAll(async () => {
    const { startStack } = await import('../../dist/stack/stack.js');
    const data = path.join(stack.folder, 'data');
    const told = telemetry ? { TELEMETRY_FILE: path.join(stack.folder, TOLD) } : {};
    const spans = telemetry ? path.join(stack.folder, SPANS) : undefined;
    const started = await startStack({ folder: data, emulateAzure, spans, env: { ...process.env, ...told, ...env } });
    stop = started.stop;
    stack.stop = async () => {
      stop = () => Promise.resolve();
      await started.stop();
    };
    connect(stack, { data, url: started.url, connectionString: started.storage, azure: started.azure ?? '' });
  });
  afterAll(async () => {
    await stop();
    rmSync(stack.folder, { recursive: true, force: true });
  });
  return stack;
}

const temporaryFolder = () => mkdtempSync(path.join(os.tmpdir(), 'scoring-test-'));

function connect(stack: TestStack, address: StackAddress): void {
  Object.assign(stack, address);
  stack.storage = BlobServiceClient.fromConnectionString(address.connectionString);
  stack.client = createJobClient(address.url, undefined);
  stack.ended = (id, seconds) => until(`the end of job ${id}`, () => endOf(stack, id), LOOK_MS, seconds);
}

async function endOf(stack: TestStack, id: string): Promise<JobStatus | undefined> {
  const status = await stack.client.status(id);
  return status.state === 'running' || status.state === 'queued' ? undefined : status;
}
