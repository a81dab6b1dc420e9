import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createJobClient, type JobClient } from '../../../src/cli/client/client.js';
import type { Stack } from '../../../src/stack/stack.js';
import { makeClip } from '../../support/clip.js';
import {
  hasOpenssl,
  type IdentityEndpoint,
  type IdentityStorage,
  startIdentityEndpoint,
  startIdentityStorage,
} from '../../support/identity-storage.js';
import { type Ingestion, startIngestion } from '../../support/ingestion.js';
import { processesWith } from '../../support/processes.js';
import { LOOK_MS, until } from '../../support/wait.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'identity-job-'));
let azurite: IdentityStorage;
let identity: IdentityEndpoint;
let ingestion: Ingestion;
let stack: Stack;
let client: JobClient;

describe.skipIf(!hasOpenssl)('an app that has a managed identity and no key', () => {
  beforeAll(async () => {
    // This process was started without the certificate; the app and its containers get it as NODE_EXTRA_CA_CERTS.
    // Node warns of certificates that nobody signed, which are what this Azurite has.
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    [azurite, identity, ingestion] = await Promise.all([
      startIdentityStorage(path.join(folder, 'azurite')),
      startIdentityEndpoint(),
      startIngestion(),
    ]);
    const { NODE_TLS_REJECT_UNAUTHORIZED: _, ...inherited } = process.env;
    const settings = {
      MEDIA_STORAGE__blobServiceUri: azurite.uri,
      INTERNAL_STORAGE__blobServiceUri: azurite.uri,
      NODE_EXTRA_CA_CERTS: azurite.certificate,
      ...identity.settings,
      APPLICATIONINSIGHTS_CONNECTION_STRING: ingestion.connectionString,
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD',
    };
    const { startStack } = await import('../../../dist/stack/stack.js');
    stack = await startStack({ folder, emulateAzure: true, env: { ...inherited, ...settings } });
    client = createJobClient(stack.url, undefined);
  });

  afterAll(async () => {
    await stack.stop();
    identity.stop();
    await ingestion.stop();
    await azurite.stop();
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  });

  test('runs a job in container groups that reach storage with its delegated signature', async () => {
    const video = await client.upload('video', makeClip(path.join(folder, 'clip.mp4'), { seconds: 0.5 }));
    const compute = { kind: 'aci' };
    const id = await client.start({ input: { video }, model: 'starry-night', compute });
    const url = /JOB_CONTAINER_URL=(\S+?)\0/;
    const [environment = ''] = await until('a container', async () => {
      const found = processesWith('TASK_BLOB=tasks/b00000-a1.json').map((pid) =>
        readFile(`/proc/${pid}/environ`, 'utf8'),
      );
      const all = (await Promise.all(found.map((file) => file.catch(() => '')))).filter((text) =>
        text.includes(`job-${id}`),
      );
      return all.length > 0 ? all : undefined;
    });
    const query = new URL(url.exec(environment)?.[1] ?? '').searchParams;
    expect(query.get('skoid')).toBe('ab1f708d-50f6-404c-a006-d71b2ac7a606');
    expect(environment).not.toMatch(/AccountKey|IDENTITY_HEADER|InstrumentationKey/);
    const ended = async () => {
      const seen = await client.status(id);
      return seen.state === 'running' ? undefined : seen;
    };
    const status = await until('the end of the job', ended, LOOK_MS);
    expect(status).toMatchObject({ state: 'done', error: null, items: { total: 6, done: 6 } });
    await client.download(id, 'output', path.join(folder, 'out.mp4'));
    expect((await readFile(path.join(folder, 'out.mp4'))).length).toBeGreaterThan(1000);
  });

  test('tells Application Insights with a token that is made for it', async () => {
    await until('the end of the job', () => ingestion.accepted.find(({ data }) => data.baseData.name === 'job.ended'));
    for (const { headers } of ingestion.posts) {
      const [, claims = ''] = /^Bearer [^.]+\.([^.]+)\./.exec(headers.authorization ?? '') ?? [];
      const { aud } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { aud: string };
      expect(aud).toBe('https://monitor.azure.com');
    }
  });

  test('logged in at the endpoint of its identity, and kept nothing in the account of the host', async () => {
    expect(identity.asked()).toBeGreaterThan(0);
    const names: string[] = [];
    for await (const { name } of BlobServiceClient.fromConnectionString(stack.storage).listContainers())
      if (/^(job|work|inbox|models)/.test(name)) names.push(name);
    expect(names).toEqual([]);
  });
});
