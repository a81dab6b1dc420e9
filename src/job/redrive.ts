import { z } from 'zod';
import { JobError } from './failure.js';
import type { ModelCard, PartialCard } from '../model-card/schema.js';
import { changeSpec, type JobSpec } from './spec.js';

/** Which version of a blob was read. */
export interface BlobVersion {
  /** Without quotes. */
  etag: string;
  /** Base64; absent where storage keeps none. */
  md5?: string;
  bytes: number;
}

/** What the outputs of a job are made of, besides the pictures of a folder, whose versions are in its item lists. */
export interface MadeOf {
  model: BlobVersion;
  /** SHA-256 of what a person's card says that outputs depend on, and of the labels. */
  card: string;
  style?: BlobVersion;
  video?: BlobVersion;
  /** The sound beside frames. */
  audio?: BlobVersion;
}

/** A card, a person's or a complete one, without what outputs do not depend on. */
export const boundPart = (card: PartialCard | ModelCard): object => ({
  ...card,
  $schema: undefined,
  description: undefined,
  batch: undefined,
  optimize: undefined,
});

/** The complete card with what outputs do not depend on as a person's card says it now. */
export const withFreePart = (card: ModelCard, { description, batch, optimize }: PartialCard): ModelCard => ({
  ...card,
  ...(description !== undefined && { description }),
  ...(batch !== undefined && { batch }),
  ...(optimize !== undefined && { optimize }),
});

/** A file that was uploaded again is the same when storage knows its sum. */
const isSame = (before: BlobVersion | undefined, now: BlobVersion | undefined) =>
  before?.etag === now?.etag || (before?.md5 !== undefined && before.md5 === now?.md5 && before.bytes === now.bytes);

/** Names what has changed, as the beginning of a sentence; undefined: nothing has. */
export function changedSince(before: MadeOf, now: MadeOf, { model, style, input }: JobSpec): string | undefined {
  const changed = [
    ...(isSame(before.model, now.model) ? [] : [`the model "${model}"`]),
    ...(before.card === now.card ? [] : [`the card or the labels of the model "${model}"`]),
    ...(isSame(before.style, now.style) ? [] : [`the style picture ${style}`]),
    ...(isSame(before.video, now.video) ? [] : [`the video ${input.video}`]),
    ...(isSame(before.audio, now.audio) ? [] : [`the sound ${input.audio}`]),
  ];
  if (changed.length === 0) return undefined;
  const last = changed.pop() ?? '';
  const names = changed.length === 0 ? last : `${changed.join(', ')} and ${last}`;
  return `${names.charAt(0).toUpperCase()}${names.slice(1)} ${changed.length === 0 ? 'has' : 'have'} changed`;
}

/** @param why as the beginning of a sentence. */
export const notComparable = (jobId: string, why: string) =>
  new JobError(
    'user',
    `${why} since job ${jobId} was scored, so what it has would not match the rest; score everything again with {"fromScratch": true}, or start a new job.`,
  );

const part = z.record(z.string(), z.unknown(), 'must be an object').optional();

/** What a redrive may change: how and where the rest is scored, and nothing of what outputs are made of. */
const changes = z.strictObject({
  batch: z
    .strictObject({
      size: z.unknown().optional(),
      maxParallel: z.unknown().optional(),
      splitStragglers: z.unknown().optional(),
    })
    .optional(),
  compute: part,
  retry: part,
  tolerate: part,
  timeouts: part,
  /** Removes what earlier runs have made, and scores everything again. */
  fromScratch: z.boolean().default(false),
});

export type Changes = z.output<typeof changes>;

/**
 * Reads the body of a redrive; an empty one changes nothing.
 * @throws JobError `user` that names what is wrong.
 */
export function parseChanges(text: string): Changes {
  let json: unknown;
  try {
    json = text.trim() === '' ? {} : JSON.parse(text);
  } catch (cause) {
    throw new JobError(
      'user',
      'The body is not valid JSON; send an object such as {"tolerate":{"failedItems":3}}, or nothing.',
      {
        cause,
      },
    );
  }
  const parsed = changes.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const at = issue?.path.join('.') ?? '';
  if (issue?.code === 'unrecognized_keys')
    throw new JobError(
      'user',
      `A redrive cannot change "${at === '' ? '' : `${at}.`}${issue.keys[0] ?? ''}"; it can change "batch.size", "batch.maxParallel", "batch.splitStragglers", "compute", "retry", "tolerate" and "timeouts", or begin with "fromScratch".`,
    );
  throw new JobError(
    'user',
    `In the redrive ${at === '' ? 'the body' : `"${at}"`} is not valid: ${issue?.message ?? ''}.`,
  );
}

/**
 * The specification of the next run.
 * @throws JobError `user` that names what is wrong in a change.
 */
export function withChanges(spec: JobSpec, { batch, compute, retry, tolerate, timeouts }: Changes): JobSpec {
  return changeSpec(spec, {
    batch: { ...spec.batch, ...batch },
    compute: compute === undefined ? spec.compute : withCompute(spec.compute, compute),
    retry: { ...spec.retry, ...retry },
    tolerate: {
      ...(BOUNDS.some((bound) => tolerate && bound in tolerate) ? withoutBounds(spec.tolerate) : spec.tolerate),
      ...tolerate,
    },
    timeouts: {
      ...(WATCHES.some((watch) => timeouts && watch in timeouts) ? withoutWatches(spec.timeouts) : spec.timeouts),
      ...timeouts,
    },
  });
}

const BOUNDS = ['failedItems', 'failedPercent', 'failedBatches'] as const;

/** Who names a bound means that one: 0 failed items are the bound of a job that names none. */
const withoutBounds = (before: JobSpec['tolerate']): object => ({
  ...before,
  failedItems: undefined,
  failedPercent: undefined,
  failedBatches: undefined,
});

const WATCHES = ['stallSeconds', 'itemSeconds'] as const;

/** One follows from the other where only one is named, as in a new job. */
const withoutWatches = (before: JobSpec['timeouts']): object => ({
  ...before,
  stallSeconds: undefined,
  itemSeconds: undefined,
});

/** Device and GPU go together: who names one of them, or another kind, does not mean the job's own other one. */
function withCompute({ ...before }: JobSpec['compute'], change: Record<string, unknown>): object {
  if ('kind' in change && change.kind !== before.kind) return change;
  // Without fallbacks nobody waits for them.
  if (Array.isArray(change.fallback) && change.fallback.length === 0) delete before.fallbackAfterSeconds;
  return 'gpu' in change || 'device' in change
    ? { ...before, gpu: undefined, device: undefined, ...change }
    : { ...before, ...change };
}
