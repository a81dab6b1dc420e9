import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { type Emulator, startEmulator } from '../../azure-emulator/src/emulator.js';
import { createActivities } from '../../src/activities/index.js';
import type { Ports } from '../../src/activities/ports.js';
import { failureOf } from '../../src/activities/return-failure.js';
import { createContainerAppsCompute } from '../../src/compute/container-apps/provider.js';
// It starts the compiled scorer, which is beside it.
import { createLocalCompute } from '../../dist/compute/local/provider.js';
import { isPassing } from '../../src/container-contract/storage-access.js';
import type { ComputeKind } from '../../src/job/compute-choice.js';
import { ppmHeader } from '../../src/job/items/ppm.js';
import { parseSpec } from '../../src/job/spec.js';
import type { SettleResult } from '../../src/activities/batches/settle-batch.js';
import { lastAttempt, readBatchState } from '../../src/job-store/batches/batch-state.js';
import { readSettled } from '../../src/job-store/batches/settled.js';
import { APP_SECRETS, jobOf, modelBlob, modelsOf, SEALING_KEY_BLOB, workOf } from '../../src/job-store/layout.js';
import { writeResolvedJob } from '../../src/job-store/resolved-job.js';
import { framesBlob, memberName } from '../../src/container-contract/places.js';
import { writeStoredPack } from '../../src/job-store/stored-packs.js';
import { createMedia } from '../../src/media/media.js';
import { readAppSecret } from '../../src/storage/app-secret.js';
import { SILENT } from '../../src/telemetry/telemetry.js';
import type { BatchResult } from '../../src/orchestrators/score-batch.js';
import { aciCompute } from './aci.js';
import { tools } from './clip.js';
import { containerAppsSettings } from './container-apps.js';
import { runBatch } from './in-process.js';
import { NO_NOTICES } from './no-notices.js';
import { cardFor } from './scorer/one-model.js';
import { tinyModel } from './scorer/tiny-model.js';
import { openAzurite } from './storage.js';
import type { Storage } from '../../src/storage/storage.js';

/** What a frame of this value does to the process that scores it; of every other value nothing. A slow one takes a tenth of a second. */
export const DEADLY = { crash: 201, kill: 202, hang: 203, memory: 204, standstill: 205, slow: 206 };

const ROOT = path.resolve(import.meta.dirname, '../..');
const SCORER = [path.join(ROOT, 'dist/processes/attached.js'), '5', path.join(ROOT, 'dist/scorer/bundle/main.js')];
const NODE_OPTIONS = `--require=${path.join(ROOT, 'test/support/scorer/deadly.cjs')}`;
const PACK = 8;
const SHAPE = ['batch', 3, 'height', 'width'];
const range: [number, number] = [0, 255];

export interface Scored {
  result: BatchResult;
  /** Container runs. */
  runs: number;
  /** Why items failed, by index. */
  failed: Map<number, string>;
  done: number;
  /** What each run came to. */
  told: string[];
  jobId: string;
  storage: Storage;
  /** Memory that each container had, in GB; of the local ones nobody knows. */
  memory: (number | undefined)[];
}

interface Together {
  /** Containers that may score the batch at once. */
  parallel: number;
  /** Is called when the frames are stored, before anything is launched. */
  begin?: (jobId: string) => Promise<void>;
  /** Gets what an activity was asked and has answered, and gives the answer that the batch gets. */
  between: (name: string, input: object, value: object, jobId: string) => Promise<object>;
}

const ALONE: Together = { parallel: 1, between: (_, __, value) => Promise.resolve(value) };

/** Batches of frames of which some do something to the process that scores them. */
export function useDeadlyItems(): {
  score: (kind: ComputeKind, values: number[], more?: object, micro?: number, together?: Together) => Promise<Scored>;
} {
  const storage = openAzurite(inject('storage'));
  const folder = mkdtempSync(path.join(os.tmpdir(), 'deadly-'));
  let emulator: Emulator;
  beforeAll(async () => {
    const inherited = { PATH: process.env.PATH, HOME: process.env.HOME, NODE_OPTIONS };
    const delays = { waitMs: 20, pullMs: 20 };
    emulator = await startEmulator({ port: 0, command: [process.execPath, ...SCORER], inherited, delays });
    await modelsOf(storage).createIfNotExists();
    const model = tinyModel({ operator: 'Relu', shape: SHAPE });
    await modelsOf(storage).getBlockBlobClient(modelBlob('deadly')).uploadData(model);
  });
  afterAll(async () => {
    await emulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const portsOf = (region: string): Ports => ({
    notices: NO_NOTICES,
    storage,
    media: createMedia(tools),
    compute: {
      local: createLocalCompute({ PATH: process.env.PATH, NODE_OPTIONS }),
      aci: aciCompute(emulator.url, {
        ACI_REGIONS: region,
        ACI_CPU: '1',
        ACI_MEMORY_GB: '0.5',
        ACI_POLL_SECONDS: '0.25',
      }),
      'container-apps': createContainerAppsCompute(
        containerAppsSettings(emulator.url, { CONTAINER_APPS_CPU: '0.25', CONTAINER_APPS_POLL_SECONDS: '0.25' }),
        () => readAppSecret(storage.internal.getContainerClient(APP_SECRETS), SEALING_KEY_BLOB),
      ),
    },
    inspectModel: () => Promise.reject(new Error('The model is known.')),
    tempFolder: folder,
    bundledModels: folder,
    telemetry: SILENT,
  });

  return {
    score: async (kind, values, more = {}, micro = 1, { parallel, begin, between } = ALONE) => {
      const jobId = `deadly-${kind}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 6)}`;
      const count = values.length;
      const ports = portsOf(jobId.replaceAll('-', ''));
      const spec = parseSpec(
        JSON.stringify({
          input: { video: 'inbox/a.mp4' },
          model: 'deadly',
          compute: { kind },
          tolerate: { failedItems: 20 },
          retry: { firstDelaySeconds: 0 },
          ...more,
        }),
      );
      const preflight = await ports.compute[kind].preflight({
        maxParallel: 1,
        memoryGb: spec.compute.memoryGb,
      });
      await Promise.all([workOf(storage, jobId).create(), jobOf(storage, jobId).create()]);
      await writeResolvedJob(storage, {
        jobId,
        spec: { ...spec, input: { video: 'inbox/a.mp4', onDamage: 'fail' } },
        card: cardFor({ batch: micro, input: { range }, output: { range } }, SHAPE),
        output: 'outbox/a.mp4',
        parallel,
        memory: preflight.memory,
        pack: PACK,
        createdAt: new Date().toISOString(),
        video: {} as never,
        others: { streams: [], pictureTags: [], anyTags: false },
        chunkFrames: count,
      });
      for (let first = 0; first < count; first += PACK) {
        const members = values.slice(first, first + PACK).map((value, k) => ({
          name: memberName(first + k, 'ppm'),
          bytes: Buffer.concat([Buffer.from(ppmHeader(8, 8)), Buffer.of(value), Buffer.alloc(191, first + k)]),
        }));
        await writeStoredPack(workOf(storage, jobId), framesBlob(first, PACK, 'ppm'), members);
      }
      await begin?.(jobId);
      const told: string[] = [];
      const memory: Scored['memory'] = [];
      const activities: Record<string, (input: never) => Promise<object>> = createActivities(ports);
      const result = await runBatch(
        { jobId, batch: 0, first: 0, count, retry: spec.retry, batches: 1 },
        async (name, input) => {
          try {
            const value = await activities[name]?.(input as never);
            if (name === 'settleBatch') {
              const { ended } = value as SettleResult;
              told.push(ended.end === 'failed' ? ended.failure.message : ended.end);
              memory.push((await readSettled(storage, jobId, 0))?.observation.place?.memoryGib);
            }
            return { ok: true, value: await between(name, input, value ?? {}, jobId) };
          } catch (error) {
            return { ok: false, failure: failureOf(error, isPassing) };
          }
        },
      );
      const settled = await readSettled(storage, jobId, 0);
      const runs = await lastAttempt(storage, jobId, 0);
      const job = { jobId, pack: PACK, video: {} } as never;
      const state = await readBatchState(storage, job, { batch: 0, first: 0, count }, runs, settled?.suspicion);
      const failed = new Map(state.failed.map(({ index, reason }) => [index, reason]));
      return { result, runs, failed, done: state.done.length, told, memory, jobId, storage };
    },
  };
}
