import { z } from 'zod';
import { TIME_USES } from './attempts/bottleneck.js';
import { PHASES } from './attempts/phases.js';
import { hideSecrets } from './failure.js';

/** Goes up when readers of the version before would misread a manifest. */
export const MANIFEST_VERSION = 1;

/** The manifest names so many failed items; `failed-items.jsonl` names all. */
export const MOST_FAILED_LISTED = 1000;

const count = z.int().min(0);
const seconds = z.number().min(0);
const time = z.iso.datetime();
const blame = z.enum(['user', 'item', 'platform', 'attempt']);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const perPhase = <T extends z.ZodType>(value: T) => z.partialRecord(z.enum(PHASES), value);
const perUse = z.partialRecord(z.enum(TIME_USES), z.number());

/** An item without an output: a line of `failed-items.jsonl`. */
const failedItem = z.strictObject({
  /** Below the folder of images, or the number of the frame. */
  name: z.string(),
  reason: z.string(),
  blame,
  batch: count,
  /** Which container run said so; the last one for what a batch left behind, 0 where none ran. */
  attempt: count,
  /** Of images whose outputs are files of their own: where its output would be, below the folder of the outputs. */
  output: z.string().optional(),
  /** Of a video: from 0, and when it is shown, in seconds after the earliest stream of the video starts. */
  frame: count.optional(),
  time: z.number().optional(),
  /** What the output video shows in its place, and which frame that is, if it is another one. */
  filledWith: z.enum(['source', 'previous', 'next']).optional(),
  filledFrom: count.optional(),
});

/** One container run. */
const attempt = z.strictObject({
  attempt: z.int().min(1),
  /** The attempt that it helped, or was to help: it has taken over items of that one while both ran. */
  helps: z.int().min(1).optional(),
  /** By their numbers in the job, both ends included: the items that were its own, where several have scored the batch at the same time. */
  ranges: z.array(z.strictObject({ first: count, last: count })).optional(),
  container: z.string(),
  compute: z.string(),
  place: z
    .strictObject({
      region: z.string().optional(),
      cpus: z.number().optional(),
      memoryGib: z.number().optional(),
      gpus: z.number().optional(),
    })
    .optional(),
  /** What its end meant for the batch; absent of a run that nobody settled. */
  end: z.enum(['complete', 'failed', 'stopped']).optional(),
  blame: blame.optional(),
  message: z.string().optional(),
  /** What ended the watch over it. */
  watchEnd: z.string().optional(),
  exitCode: z.int().optional(),
  /** What the scorer said of itself; absent where it was ended before it could. */
  scorer: z.enum(['completed', 'interrupted', 'failed']).optional(),
  warnings: z.array(z.string()).optional(),
  /** Items that it scored, as far as it is known of a run that was killed; that had an output before it; and that failed. */
  scored: count,
  skipped: count,
  failed: count,
  /** From when it had its place until it ended. */
  containerSeconds: seconds,
  phases: z
    .strictObject({
      launched: time,
      ended: perPhase(z.string()),
      seconds: perPhase(z.number()),
      endedAt: z.string().optional(),
      split: perUse.optional(),
    })
    .optional(),
  device: z.string().optional(),
  optimized: z.union([z.boolean(), z.string()]).optional(),
  codec: z.string().optional(),
  timings: z.record(z.string(), z.number()).optional(),
});

/** `done` + `failed` + `givenUp` + `neverReached` is the number of items. */
const counts = {
  done: count,
  /** Failed for their own reasons. */
  failed: count,
  /** Left behind by batches that were given up. */
  givenUp: count,
  /** The job ended before. */
  neverReached: count,
};

const batch = z.strictObject({
  batch: count,
  first: count,
  count,
  ...counts,
  /** How many of `done` were taken over from other jobs; absent: none. */
  reused: count.optional(),
  /** Containers that were launched. */
  runs: count,
  attempts: z.array(attempt),
});

const outputFile = z.strictObject({ path: z.string(), bytes: count, sha256 });

/** What became of a job: the last record that a job writes, `manifest.json`. */
export const manifestSchema = z.strictObject({
  version: z.literal(MANIFEST_VERSION),
  jobId: z.string(),
  /** From 1: how often the job was started; `items` and `totals` are of all of them, `batches` of this one. */
  run: z.int().min(1),
  outcome: z.enum(['done', 'failed', 'cancelled']),
  /** Why the job failed or was cancelled; '' when it did not. */
  message: z.string(),
  /** Whose failure it is. */
  blame: z.enum(['user', 'platform']).nullable(),
  /** Who has cancelled the job, and when. */
  cancelled: z.looseObject({}).optional(),
  createdAt: time.optional(),
  finishedAt: time,
  /** Path of what started it in the inbox; absent of a job that a request started. */
  startedBy: z.string().optional(),
  /** The job specification with its defaults. */
  asked: z.looseObject({ model: z.string() }).optional(),
  /** What became of it once model, input and compute were looked at; absent of a job that failed before. */
  resolved: z
    .looseObject({
      spec: z.looseObject({ model: z.string() }),
      card: z.looseObject({}),
      /** SHA-256 of the bytes of the model, of the card and the labels beside it, and of the style picture. */
      sha256: z
        .strictObject({ model: sha256, card: sha256.optional(), labels: sha256.optional(), style: sha256.optional() })
        .optional(),
      output: z.string(),
      parallel: count,
      pack: count,
      createdAt: z.string(),
    })
    .optional(),
  /** Those before this one, and where their manifests are. */
  earlierRuns: z
    .array(
      z.strictObject({
        run: z.int().min(1),
        outcome: z.string(),
        message: z.string(),
        finishedAt: time,
        totals: z.looseObject({ done: count }),
        manifest: z.string(),
      }),
    )
    .optional(),
  items: count,
  /** `reused`: how many of `done` were taken over from other jobs, of a job that asks for it. */
  totals: z.strictObject({ ...counts, reused: count.optional(), attempts: count }),
  containerSeconds: seconds,
  /** What its containers have cost in this run, in USD, by prices of that day; null where no price is known. Absent in manifests of earlier versions. */
  cost: z
    .strictObject({ usd: z.number().min(0), pricesAsOf: z.iso.date() })
    .nullable()
    .optional(),
  /** How often items were scored, and how often of these in vain: more than once, or lost with a container, as far as that is known. */
  scorings: z.strictObject({ all: count, wasted: count }),
  containerTime: z.strictObject({ sentence: z.string(), percent: perUse, seconds: perUse }).nullable(),
  phases: perPhase(z.strictObject({ mean: z.number(), longest: z.number() })),
  /** How the output video compares with its source. */
  comparison: z.looseObject({ problems: z.array(z.string()) }).optional(),
  /** Whether a small picture of what the job has made is among its records; absent: none. */
  thumbnail: z.literal(true).optional(),
  warnings: z.array(z.string()),
  outputs: z.strictObject({
    files: z.array(outputFile),
    /** Of pictures, masks or arrays: how many, and where their list is: `output-files.jsonl`. */
    folder: z.strictObject({ path: z.string(), files: count, bytes: count, list: z.string() }).optional(),
  }),
  /** The first of them; `failed-items.jsonl` has all. */
  failedItems: z.array(failedItem).max(MOST_FAILED_LISTED),
  batches: z.array(batch),
});

export type Manifest = z.output<typeof manifestSchema>;
export type BatchReport = Manifest['batches'][number];
export type AttemptReport = BatchReport['attempts'][number];
export type FailedReport = Manifest['failedItems'][number];
export type OutputFile = z.output<typeof outputFile>;
export type Counts = Pick<BatchReport, keyof typeof counts>;

/**
 * Adds up what became of the items of all batches.
 * @throws Error when a batch does not account for each of its items once, or the batches not for each of the job's.
 */
export function addUp(items: number, batches: (Counts & { batch: number; count: number })[]): Counts {
  const totals: Counts = { done: 0, failed: 0, givenUp: 0, neverReached: 0 };
  const sumOf = ({ done, failed, givenUp, neverReached }: Counts) => done + failed + givenUp + neverReached;
  for (const each of batches) {
    if (sumOf(each) !== each.count)
      throw new Error(`Batch ${each.batch} accounts for ${sumOf(each)} of its ${each.count} items.`);
    totals.done += each.done;
    totals.failed += each.failed;
    totals.givenUp += each.givenUp;
    totals.neverReached += each.neverReached;
  }
  if (batches.length > 0 && sumOf(totals) !== items)
    throw new Error(`The batches account for ${sumOf(totals)} of ${items} items.`);
  return batches.length > 0 ? totals : { ...totals, neverReached: items };
}

const NAMED = 3;
const LONGEST_NAME = 80;
/** Of all reasons together. */
const LONGEST_REASONS = 480;

/** The first failed items by name with their reasons, each reason once, and how many more there are. What looks like a secret is hidden. */
export function nameFailed(failed: Pick<FailedReport, 'name' | 'reason'>[], total: number): string {
  const named = failed.slice(0, NAMED);
  const reasons = [...new Set(named.map(({ reason }) => reason))];
  const longest = Math.floor(LONGEST_REASONS / Math.max(1, reasons.length));
  const parts = reasons.map((reason) => {
    const names = named.filter((item) => item.reason === reason).map(({ name }) => cut(name, LONGEST_NAME));
    return `${names.join(', ')}: ${cut(reason, longest)}`;
  });
  const more = total - named.length;
  return [...parts, ...(more > 0 ? [`${more} more in failed-items.jsonl`] : [])].join('; ');
}

/** Hides before it cuts: a part of a secret looks like none. */
function cut(secretive: string, most: number): string {
  const text = hideSecrets(secretive);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
