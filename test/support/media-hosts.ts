import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InvocationContext } from '@azure/functions';
import { afterAll, beforeAll } from 'vitest';
import { startAzurite } from '../../dist/stack/azurite.js';
import type { AdmissionLimits } from '../../src/job/inbox/admission.js';
import type { Claim } from '../../src/job/inbox/claim.js';
import { bareEtag } from '../../src/job/inbox/media-event.js';
import { claimId, readClaim } from '../../src/job-store/inbox/claims.js';
import { CLAIMS, INBOX, MODELS, modelBlob } from '../../src/job-store/layout.js';
import type { Storage } from '../../src/storage/storage.js';
import { SILENT } from '../../src/telemetry/telemetry.js';
import { createAdmit } from '../../src/triggers/inbox/admit.js';
import { createInboxSweep } from '../../src/triggers/inbox/inbox-sweep.js';
import { createTakeMedia } from '../../src/triggers/inbox/take-media.js';
import type { JobHost } from '../../src/triggers/jobs.js';
import { createLauncher } from '../../src/triggers/launch.js';
import type { Uploaded } from './inbox.js';
import { openAzurite } from './storage.js';

const ENOUGH: AdmissionLimits = { jobs: 1000, items: Infinity, bytes: Infinity };
/** Where the stand-in for the Functions host keeps what it has started, so that starting is a request like any other. */
const STARTS = 'starts';
const TIMER = {
  isPastDue: false,
  schedule: { adjustForDST: true },
  scheduleStatus: { last: '', next: '', lastUpdated: '' },
};

/** The app's functions for new media, on an Azurite of the test file's own, with a stand-in for the orchestrations of the host. */
export function useMediaHosts() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-media-'));
  const hosts = {} as { storage: Storage };
  let stop: () => Promise<void> = () => Promise.resolve();
  beforeAll(async () => {
    const azurite = await startAzurite(folder, process.env);
    stop = azurite.stop;
    hosts.storage = openAzurite(azurite.connectionString);
    const { internal, media } = hosts.storage;
    await Promise.all([internal.getContainerClient(STARTS).create(), media.getContainerClient(INBOX).create()]);
    const models = internal.getContainerClient(MODELS);
    await models.create();
    await models.getBlockBlobClient(modelBlob('m')).upload('onnx', 4);
  });
  afterAll(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const startsOf = async (jobId: string): Promise<number> => {
    let count = 0;
    for await (const { name } of hosts.storage.internal
      .getContainerClient(STARTS)
      .listBlobsFlat({ prefix: `${jobId}/` }))
      count += name.startsWith(`${jobId}/`) ? 1 : 0;
    return count;
  };
  return {
    get storage() {
      return hosts.storage;
    },
    /** How often a job was started. */
    startsOf,
    async put(name: string, content: string): Promise<Uploaded> {
      const container = hosts.storage.media.getContainerClient(INBOX);
      const { etag = '' } = await container.getBlockBlobClient(name).upload(content, Buffer.byteLength(content));
      return { account: hosts.storage.media.accountName, container: INBOX, name, etag: bareEtag(etag) };
    },
    claim: (version: Uploaded): Promise<Claim | undefined> => readClaim(hosts.storage, claimId(version)),
    /** Those that stand in line. */
    async line(): Promise<string[]> {
      const names: string[] = [];
      for await (const { name } of hosts.storage.internal.getContainerClient(CLAIMS).listBlobsFlat({ prefix: 'line/' }))
        names.push(name);
      return names;
    },
    /** A process that has just started. `over`: the jobs that have ended, of which it knows nothing any more. */
    newHost({ limits = ENOUGH, over = new Set<string>() }: { limits?: AdmissionLimits; over?: Set<string> } = {}) {
      const { storage } = hosts;
      const host: JobHost = {
        stateOf: async (_, jobId) => {
          if (over.has(jobId)) return 'Completed';
          return (await startsOf(jobId)) > 0 ? 'Running' : undefined;
        },
        start: async (_, { jobId }) => {
          const blob = storage.internal.getContainerClient(STARTS).getBlockBlobClient(`${jobId}/${Math.random()}`);
          await blob.upload('', 0);
        },
      };
      const ports = { storage, telemetry: SILENT, bundledModels: folder };
      const launcher = createLauncher({ ...ports, limits, host });
      const admit = createAdmit({ ...ports, launcher, waitHours: 1 });
      const take = createTakeMedia({ ...ports, admit });
      const sweep = createInboxSweep({ storage, admit, launcher });
      const logged: string[] = [];
      const context = () =>
        new InvocationContext({
          logHandler: (level, ...words: unknown[]) => logged.push(`${level}: ${words.join(' ')}`),
        });
      return {
        logged,
        take: async (message: unknown): Promise<void> => void (await take(message, context())),
        sweep: async (): Promise<void> => void (await sweep(TIMER, context())),
      };
    },
  };
}
