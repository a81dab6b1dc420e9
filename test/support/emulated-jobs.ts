import { createHash } from 'node:crypto';
import path from 'node:path';
import { beforeAll, expect } from 'vitest';
import type { Fault } from '../../azure-emulator/src/faults.js';
import type { AttemptResult } from '../../src/container-contract/result.js';
import { containerName, jobContainer, resultBlob, settledBlob, workContainer } from '../../src/job-store/layout.js';
import { makeClip } from './clip.js';
import { storedItems } from './stored-items.js';
import { type TestStack, useOwnStack } from './stack.js';
import { until } from './wait.js';

const FRAMES = 16;
const BATCH = FRAMES / 2;

export type EmulatedCompute = 'aci' | 'container-apps';

export interface EmulatedJobs {
  stack: TestStack;
  /** Starts a job of two batches side by side, with two attempts each. */
  start: (kind: EmulatedCompute | 'local', more?: object) => Promise<string>;
  /** The next request of this kind goes wrong, whichever job makes it. */
  spoil: (fault: Fault) => Promise<void>;
  /** Waits until batch 0 has stored its first frames, then ends its container or loses it. */
  strike: (id: string, how: 'end' | 'lose', exitCode?: number) => Promise<void>;
  /** How many containers of the job stand or run now. */
  running: (id: string) => Promise<number>;
  /** Expects the job to be done with the frames that local compute made, and no container to be left or to have been created twice. */
  endsRight: (id: string) => Promise<string[]>;
  /** Expects that no container is left or was created twice, and gives the names of those that were created, in order. */
  nothingLeft: (id: string) => Promise<string[]>;
  /** From now on the emulated region says that it has this kind of GPU, or none. */
  listGpu: (sku: string | undefined) => Promise<void>;
  /** What the first container run of a batch left as its result. */
  result: (id: string, batch: number) => Promise<AttemptResult>;
  /** Attempts of both batches. */
  attempts: (id: string) => Promise<number[]>;
}

/** Jobs on emulated Azure, of one clip that local compute has scored once, unless no frames are `compared`. */
export function useEmulatedJobs({ telemetry = false, compared = true } = {}): EmulatedJobs {
  const stack = useOwnStack({ emulateAzure: true, telemetry });
  let video = '';
  let reference: Map<number, string>;

  const ask = async (what: string, body?: object): Promise<Response> =>
    fetch(`${stack.azure}/emulator/${what}`, body ? { method: 'POST', body: JSON.stringify(body) } : {});

  const start = (kind: EmulatedCompute | 'local', more: object = {}) =>
    stack.client.start({
      input: { video },
      model: 'starry-night',
      output: { keepFrames: true },
      compute: { kind },
      batch: { size: BATCH, maxParallel: 2, pack: 4, splitStragglers: false },
      retry: { maxAttempts: 2, firstDelaySeconds: 0 },
      ...more,
    });

  /** Names of the containers of a job, on whichever compute. */
  async function containers(id: string): Promise<{ present: string[]; created: string[] }> {
    const groups = (await (await ask('groups')).json()) as Record<'present' | 'created', string[]>;
    const executions = (await (await ask('executions')).json()) as Record<'live' | 'started', object[]>;
    const nameOf = (template: object) => /"SCORER_LAUNCH","value":"([^"]+)"/.exec(JSON.stringify(template))?.[1] ?? '';
    const own = (names: string[]) => names.filter((name) => name.startsWith(`${id}-`)).toSorted();
    return {
      present: own([...groups.present, ...executions.live.map(nameOf)]),
      created: own([...groups.created, ...executions.started.map(nameOf)]),
    };
  }

  async function nothingLeft(id: string): Promise<string[]> {
    const { present, created } = await containers(id);
    expect(present).toEqual([]);
    expect(new Set(created).size).toBe(created.length);
    return created;
  }

  async function endsRight(id: string): Promise<string[]> {
    expect(await stack.ended(id)).toMatchObject({ state: 'done', error: null });
    expect(await hashes(stack, id)).toEqual(reference);
    return nothingLeft(id);
  }

  async function strike(id: string, how: 'end' | 'lose', exitCode?: number): Promise<void> {
    const work = stack.storage.getContainerClient(workContainer(id));
    await until('scored frames of batch 0', async () => {
      if (!(await work.exists())) return undefined;
      for await (const { name } of work.listBlobsFlat({ prefix: 'scored/' }))
        if (Number(/\d+/.exec(name)?.[0]) < BATCH) return true;
      return undefined;
    });
    await ask(how, { name: containerName(id, 0, 1), exitCode });
  }

  const attemptsOf = async (id: string, batch: number): Promise<number> => {
    const blob = stack.storage.getContainerClient(jobContainer(id)).getBlobClient(settledBlob(batch));
    return (JSON.parse((await blob.downloadToBuffer()).toString()) as { attempt: number }).attempt;
  };

  beforeAll(async () => {
    video = await stack.client.upload(
      'video',
      makeClip(path.join(stack.folder, 'clip.mp4'), { size: '320x180', rate: String(FRAMES / 2) }),
    );
    if (!compared) return;
    const id = await start('local');
    expect((await stack.ended(id)).state).toBe('done');
    reference = await hashes(stack, id);
    expect(reference.size).toBe(FRAMES);
  });

  return {
    stack,
    start,
    spoil: async (fault) => void (await ask('faults', fault)),
    strike,
    running: async (id) => (await containers(id)).present.length,
    endsRight,
    nothingLeft,
    listGpu: async (sku) => void (await ask('gpu', { sku })),
    result: async (id, batch) => {
      const blob = stack.storage.getContainerClient(jobContainer(id)).getBlobClient(resultBlob(batch, 1));
      return JSON.parse((await blob.downloadToBuffer()).toString()) as AttemptResult;
    },
    attempts: (id) => Promise.all([attemptsOf(id, 0), attemptsOf(id, 1)]),
  };
}

/** SHA-256 of every scored frame, by index. */
async function hashes(stack: TestStack, id: string): Promise<Map<number, string>> {
  const items = await storedItems(stack.storage.getContainerClient(workContainer(id)), 'scored/');
  return new Map([...items].map(([index, bytes]) => [index, createHash('sha256').update(bytes).digest('hex')]));
}
