/** Scorers of the benchmarks that score nothing. */
import { type ComputeProvider } from '../src/compute/provider.js';
import { readEnvironment } from '../src/container-contract/environment.js';
import { memberName, packStart, scoredPart } from '../src/container-contract/places.js';
import { progressMetadata } from '../src/container-contract/progress.js';
import { parseTask, type ScoreTask, type TaskItem } from '../src/container-contract/task.js';
import { Tally } from '../src/scorer/records/tally.js';
import { TimeAccount } from '../src/scorer/records/time-account.js';
import { TaskBlobs } from '../src/scorer/run/task-blobs.js';

type Environment = Record<string, string>;

/** A compute whose containers have ended as soon as they are launched. @param score what they do. */
export function simulatedCompute(maxParallel: number, score = scoreNothing): ComputeProvider {
  const ended = new Map<string, string>();
  return {
    endsWithApp: true,
    poll: { minSeconds: 1, maxSeconds: 1 },
    preflight: () => Promise.resolve({ maxParallel, warnings: [] }),
    launch: async ({ name, environment }) => {
      if (ended.has(name)) return;
      await score(environment);
      ended.set(name, new Date().toISOString());
    },
    observe: (name) => {
      const endedAt = ended.get(name);
      return Promise.resolve(endedAt === undefined ? { state: 'lost' } : { state: 'succeeded', exitCode: 0, endedAt });
    },
    logs: () => Promise.resolve([]),
    remove: () => Promise.resolve(),
    list: () => Promise.resolve([]),
  };
}

/** Asks of storage what a scorer asks, but for the pictures, and stores what one stores. */
export async function scoreNothing(environment: Environment): Promise<void> {
  const blobs = new TaskBlobs(readEnvironment(environment));
  const { signal } = new AbortController();
  const task = parseTask(await blobs.readTask(signal));
  const [first, last] = [task.items[0]?.index ?? 0, task.items.at(-1)?.index ?? 0];
  await blobs.readModel(signal);
  await blobs.storedItems({ first, last, pack: task.pack }, signal);
  const tally = new Tally(task, new Date().toISOString(), new TimeAccount(), () => undefined);
  const report = () =>
    blobs.writeRecord(task.progressBlob, JSON.stringify(tally.progress()), progressMetadata(tally.progress()));
  await report();
  const cells = new Map<number, TaskItem[]>();
  for (const item of task.items) {
    const start = packStart(item.index, task.pack);
    cells.set(start, [...(cells.get(start) ?? []), item]);
  }
  for (const items of cells.values()) await storePart(blobs, task, items);
  for (const item of task.items) tally.itemScored(item, tally.itemTime());
  tally.itemsStored(task.items);
  await report();
  await blobs.writeLog(task.logBlob, '', undefined);
  await blobs.growingRecord(task.timingsBlob ?? '')('{}\n');
  await blobs.writeRecord(task.resultBlob, JSON.stringify(tally.result('completed', undefined)));
}

async function storePart(blobs: TaskBlobs, { pack: size, output }: ScoreTask, items: TaskItem[]): Promise<void> {
  const { signal } = new AbortController();
  const range = { first: items[0]?.index ?? 0, last: items.at(-1)?.index ?? 0 };
  const members = items.map(({ name, index }) => ({
    name: memberName(index, output.ending),
    bytes: Buffer.from(`${JSON.stringify({ item: name, classes: [{ index: 1, score: 1 }] })}\n`),
  }));
  const part = scoredPart(range, size, output.ending);
  if (size > 1) await blobs.storePack(part, members, {}, signal);
  else for (const { bytes } of members) await blobs.storeOutput(part, bytes, signal);
}
