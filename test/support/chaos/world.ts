import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import { type Emulator, startEmulator } from '../../../azure-emulator/src/emulator.js';
import { createActivities } from '../../../src/activities/index.js';
import type { Ports } from '../../../src/activities/ports.js';
import { createContainerAppsCompute } from '../../../src/compute/container-apps/provider.js';
import { failureOf } from '../../../src/activities/return-failure.js';
import { createMedia } from '../../../src/media/media.js';
import { createModelInspector, type ModelInspector } from '../../../src/scorer/engine/inspect/inspect.js';
import {
  APP_SECRETS,
  mediaBlob,
  modelBlob,
  modelsOf,
  SEALING_KEY_BLOB,
  workOf,
} from '../../../src/job-store/layout.js';
import { readAppSecret } from '../../../src/storage/app-secret.js';
import { isPassing } from '../../../src/container-contract/storage-access.js';
import { SILENT } from '../../../src/telemetry/telemetry.js';
import { NO_NOTICES } from '../no-notices.js';
import { openAzurite } from '../storage.js';
import { storedItems } from '../stored-items.js';
import { tinyModel } from '../scorer/tiny-model.js';
import { aciCompute, notSetUp } from '../aci.js';
import { makeClip, tools } from '../clip.js';
import { containerAppsSettings } from '../container-apps.js';

export const FRAMES = 8;
export const VIDEO = 'inbox/chaos.mp4';
export const MODEL = 'chaos-identity';
/** With these a batch takes long enough to be struck in its middle. */
export const SLOW_MODEL = 'starry-night';
export const LARGE_VIDEO = 'inbox/chaos-large.mp4';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const SCORER = [path.join(ROOT, 'dist/processes/attached.js'), '5', path.join(ROOT, 'dist/scorer/bundle/main.js')];
const connection = inject('storage');
const storage = openAzurite(connection);
/** The app gives up a request to Azure without an answer soon. */
const REQUEST_SECONDS = '6';
const POLL = '0.25';

export interface World {
  emulator: Emulator;
  storage: typeof storage;
  /** The activities on a host that has just started: nothing is remembered, and the disk is empty. */
  newHost(region: string): (name: string, input: object) => Promise<unknown>;
}

/** Emulated Azure whose containers are real scorers, real storage, a tiny clip and a tiny model, for all tests of a file. */
export function useWorld(): World {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-chaos-'));
  const world = { storage, newHost: (region) => newHost(world, folder, region) } as World;
  beforeAll(async () => {
    world.emulator = await startEmulator({
      port: 0,
      command: [process.execPath, ...SCORER],
      inherited: { PATH: process.env.PATH, HOME: process.env.HOME },
      delays: { waitMs: 20, pullMs: 20 },
      quotas: { ContainerGroups: 1000, StandardCores: 1000 },
    });
    const clip = (name: string, size: string) =>
      makeClip(path.join(folder, name), { size, rate: String(FRAMES), seconds: 1, sound: false });
    await storage.media.getContainerClient('inbox').createIfNotExists();
    await storage.media.getContainerClient('outbox').createIfNotExists();
    await mediaBlob(storage, VIDEO).uploadFile(clip('small.mp4', '64x36'));
    await mediaBlob(storage, LARGE_VIDEO).uploadFile(clip('large.mp4', '384x216'));
    await modelsOf(storage).createIfNotExists();
    const model = tinyModel({ operator: 'Relu', shape: [1, 3, 'height', 'width'] });
    await modelsOf(storage).getBlockBlobClient(modelBlob(MODEL)).uploadData(model);
    const slow = path.join(ROOT, 'models', modelBlob(SLOW_MODEL));
    await modelsOf(storage).getBlockBlobClient(modelBlob(SLOW_MODEL)).uploadFile(slow);
  });
  afterAll(async () => {
    await world.emulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return world;
}

const inspect = createModelInspector(
  { PATH: process.env.PATH },
  path.join(ROOT, 'dist/scorer/engine/inspect/inspect-main.js'),
);
const signatures = new Map<string, ReturnType<ModelInspector>>();
/** All runs have the same models: each is inspected once, and not tried. The file comes with the request. */
const inspectOnce: ModelInspector = (file, name, _, request) => {
  const signature = signatures.get(name) ?? Promise.resolve(request).then(() => inspect(file, name));
  signatures.set(name, signature);
  return signature;
};

function newHost({ emulator }: World, folder: string, region: string): ReturnType<World['newHost']> {
  mkdirSync(path.join(folder, 'hosts'), { recursive: true });
  const ports: Ports = {
    notices: NO_NOTICES,
    storage,
    media: createMedia(tools),
    compute: {
      ...notSetUp(),
      aci: aciCompute(emulator.url, {
        ACI_REGIONS: region,
        ACI_CPU: '1',
        ACI_POLL_SECONDS: POLL,
        ACI_REQUEST_SECONDS: REQUEST_SECONDS,
      }),
      'container-apps': createContainerAppsCompute(
        containerAppsSettings(emulator.url, {
          CONTAINER_APPS_CPU: '1',
          CONTAINER_APPS_POLL_SECONDS: POLL,
          CONTAINER_APPS_REQUEST_SECONDS: REQUEST_SECONDS,
        }),
        () => readAppSecret(storage.internal.getContainerClient(APP_SECRETS), SEALING_KEY_BLOB),
      ),
    },
    inspectModel: inspectOnce,
    tempFolder: mkdtempSync(path.join(folder, 'hosts', 'host-')),
    bundledModels: folder,
    telemetry: SILENT,
  };
  const activities: Record<string, (input: never) => Promise<object>> = createActivities(ports);
  return async (name, input) => {
    try {
      return { ok: true, value: await activities[name]?.(input as never) };
    } catch (error) {
      return { ok: false, failure: failureOf(error, isPassing) };
    }
  };
}

/** MD5 of every scored frame of a job, by index. */
export async function scoredFrames(jobId: string): Promise<Map<number, string>> {
  const items = await storedItems(workOf(storage, jobId), 'scored/');
  return new Map([...items].map(([index, bytes]) => [index, createHash('md5').update(bytes).digest('hex')]));
}

/** Names of a job's groups and executions: that stand or run, that were ever created, and that were while they stood. */
export function containersOf(
  { azure, apps }: Emulator,
  jobId: string,
): {
  left: string[];
  created: string[];
  replaced: string[];
} {
  const own = (names: string[]) => names.filter((name) => name.startsWith(`${jobId}-`));
  const launch = (template: { containers: { env?: { name: string; value?: string }[] }[] }) =>
    template.containers[0]?.env?.find(({ name }) => name === 'SCORER_LAUNCH')?.value ?? '';
  const live = apps.executions.filter(({ isLive }) => isLive).map(({ template }) => launch(template));
  return {
    left: [...own([...azure.groups.keys()]), ...own(live)],
    created: [...own(azure.created), ...own(apps.started.map(launch))],
    replaced: own(azure.replaced),
  };
}
