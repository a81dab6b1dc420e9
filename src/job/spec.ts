import { z } from 'zod';
import { MOST_SECONDS } from './attempts/watch.js';
import {
  COMPUTE_KINDS,
  DEVICES,
  fillFallback,
  GPU_CHOICES,
  LEAST_MEMORY_GB,
  listProblem,
  matchDevice,
  MOST_FALLBACKS,
  MOST_MEMORY_GB,
} from './compute-choice.js';
import { hideSecrets, JobError, jsonBytes } from './failure.js';
import { hasUnusableCharacters, hasUnusableParts } from './items/blob-names.js';
import {
  DEFAULT_CODEC,
  DEFAULT_FRAME_FORMAT,
  DEFAULT_IMAGE_FORMAT,
  FRAME_FORMATS,
  outputProblem,
  QUALITIES,
  VIDEO_CODECS,
} from './items/formats.js';
import { FRAME_RATES, readFrameRate } from './items/frame-folder.js';
import { noticeChoices } from './notice.js';
import { MOST_IN_BATCH, MOST_PACKED, MOST_PARALLEL } from './plan.js';
import { toleranceChoices } from './tolerance.js';

/** Largest job specification in bytes: it travels as the input of an orchestrator, which must stay small. */
const MAX_SPEC_BYTES = 4096;

/**
 * What a job is started with, in bytes of JSON: its names and defaults, and what started it. An activity that tells why it failed gets the
 * same and a sentence.
 */
const MOST_INPUT_BYTES = 3100;

/**
 * `container/name` in the media account; the container is fixed, so that a job reaches nothing else.
 * @param others containers that are as good.
 */
function blobPath(container: string, name = 'NAME', others: string[] = []): z.ZodType<string> {
  const path = new RegExp(`^(?:${[container, ...others].join('|')})/[^/?#%].*$`, 'su');
  return z
    .string()
    .max(300, 'is longer than 300 characters')
    .refine(
      (text) => path.test(text) && !/[?#%]/.test(text) && !hasUnusableCharacters(text),
      `must look like "${container}/${name}", without control characters, half characters, backslashes, "?", "#" or "%"`,
    )
    .refine((text) => !hasUnusableParts(text.replace(/\/$/, '')), 'must have no parts that are empty or end in a dot');
}

/** A folder: `container/name/`. */
const blobPrefix = (container: string) =>
  blobPath(container, 'FOLDER/').transform((path) => (path.endsWith('/') ? path : `${path}/`));

const INPUT_URL = 'must be the https URL of a file, without login, port, query and fragment, of at most 300 characters';

/** It is kept in the job's records and its history, where no secret may be. */
function isInputUrl(text: string): boolean {
  if (text.length > 300 || /[?#\\]/.test(text) || hasUnusableCharacters(text) || !URL.canParse(text)) return false;
  const { protocol, port, username, password, pathname } = new URL(text);
  const isBare = port === '' && username === '' && password === '' && hideSecrets(text) === text;
  return protocol === 'https:' && isBare && !pathname.endsWith('/');
}

const STALL_SECONDS = 120;
/** The scorer, which knows the item, ends before the container is ended. */
const ITEM_TO_STALL = 0.75;

function fillTimeouts<T extends { stallSeconds?: number | undefined; itemSeconds?: number | undefined }>(timeouts: T) {
  const wanted = Math.max(STALL_SECONDS, (timeouts.itemSeconds ?? 0) / ITEM_TO_STALL);
  const { itemSeconds, stallSeconds = Math.min(wanted, MOST_SECONDS.stall) } = timeouts;
  return { ...timeouts, stallSeconds, itemSeconds: itemSeconds ?? ITEM_TO_STALL * stallSeconds };
}

const seconds = (most: number) => z.number().min(1).max(most);

const compute = {
  region: z
    .string()
    .regex(/^[a-z0-9]{1,60}$/, 'must be the name of a region as in westeurope')
    .optional(),
  gpu: z.enum(GPU_CHOICES).optional(),
  device: z.enum(DEVICES).optional(),
  memoryGb: z.number().min(LEAST_MEMORY_GB).max(MOST_MEMORY_GB).optional(),
};

const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Whether a job can name a model so. */
export const isModelName = (text: string): boolean => MODEL_NAME.test(text);

const properties = z.strictObject({
  input: z
    .strictObject({
      video: blobPath('inbox').optional(),
      url: z.string().refine(isInputUrl, INPUT_URL).optional(),
      images: blobPrefix('inbox').optional(),
      frameRate: z
        .union([z.number(), z.string()], FRAME_RATES)
        .refine((rate) => readFrameRate(rate) !== undefined, FRAME_RATES)
        .optional(),
      audio: blobPath('inbox').optional(),
      list: z
        .union(
          [
            blobPath('inbox'),
            z.strictObject({ failedItemsOf: z.string().refine((id) => isJobId(id), 'must be the id of a job') }),
          ],
          'must name a list as "inbox/NAME", or be {"failedItemsOf": JOB}',
        )
        .optional(),
      onDamage: z.enum(['fail', 'keep']).default('fail'),
    })
    .superRefine(({ video, url, images, frameRate, audio, list }, context) => {
      if ([video, url, images].filter((each) => each !== undefined).length !== 1)
        context.addIssue({
          code: 'custom',
          message: 'must name either a "video" or "images", or the "url" of a video',
        });
      else if (images === undefined && frameRate !== undefined)
        context.addIssue({ code: 'custom', path: ['frameRate'], message: 'is for "images"; a video has its own' });
      if (list !== undefined && (images === undefined || frameRate !== undefined))
        context.addIssue({
          code: 'custom',
          path: ['list'],
          message: 'is for "images" that are scored each by itself; leave it out',
        });
      if (frameRate === undefined && audio !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['audio'],
          message: 'is for "images" that become a video; set "frameRate", too, or leave it out',
        });
    }),
  /** Copies what was made of the same bytes in the same way before; absent: scores everything. */
  reuse: z.boolean().optional(),
  model: z.string().regex(MODEL_NAME, 'must be a model name: letters, digits, ".", "_" and "-"'),
  style: blobPath('styles', 'NAME', ['inbox']).optional(),
  output: z
    .strictObject({
      video: blobPath('outbox').optional(),
      images: blobPrefix('outbox').optional(),
      predictions: blobPrefix('outbox').optional(),
      draw: z.boolean().default(false),
      codec: z.enum(VIDEO_CODECS).optional(),
      quality: z.enum(QUALITIES).optional(),
      frameFormat: z.enum(FRAME_FORMATS).optional(),
      keepFrames: z.boolean().default(false),
      overwrite: z.boolean().default(false),
    })
    .superRefine((output, context) => {
      const message = outputProblem({ ...output, codec: output.codec ?? DEFAULT_CODEC });
      if (message) context.addIssue({ code: 'custom', message });
    })
    .prefault({}),
  batch: z
    .strictObject({
      size: z
        .union(
          [z.literal('auto'), z.int().min(1).max(MOST_IN_BATCH)],
          `must be "auto" or a whole number from 1 to ${MOST_IN_BATCH}`,
        )
        .default('auto'),
      maxParallel: z.int().min(1).max(MOST_PARALLEL).optional(),
      pack: z
        .union(
          [z.literal('auto'), z.int().min(1).max(MOST_PACKED)],
          `must be "auto" or a whole number from 1 to ${MOST_PACKED}`,
        )
        .default('auto'),
      splitStragglers: z.boolean().optional(),
    })
    .prefault({}),
  compute: z
    .strictObject({
      kind: z.enum(COMPUTE_KINDS).default('local'),
      ...compute,
      fallback: z
        .array(z.strictObject({ kind: z.enum(COMPUTE_KINDS).optional(), ...compute }))
        .max(MOST_FALLBACKS, `must name ${MOST_FALLBACKS} computes at most`)
        .optional(),
      fallbackAfterSeconds: seconds(7200).optional(),
    })
    .superRefine((list, context) => {
      const problem = listProblem(list);
      if (problem) context.addIssue({ code: 'custom', ...problem });
    })
    .transform(matchDevice)
    .transform(fillFallback)
    .prefault({}),
  retry: z
    .strictObject({
      maxAttempts: z.int().min(1).max(10).default(3),
      firstDelaySeconds: z.number().min(0).max(600).default(5),
      escalateMemory: z.boolean().default(true),
    })
    .prefault({}),
  tolerate: toleranceChoices.prefault({}),
  notify: noticeChoices.optional(),
  timeouts: z
    .strictObject({
      provisionSeconds: seconds(MOST_SECONDS.provision).default(900),
      batchSeconds: seconds(MOST_SECONDS.batch).default(3600),
      stallSeconds: seconds(MOST_SECONDS.stall).optional(),
      itemSeconds: seconds(MOST_SECONDS.item).optional(),
      jobSeconds: seconds(30 * 86_400).optional(),
    })
    .superRefine(({ stallSeconds = Infinity, itemSeconds = 0 }, context) => {
      const message = 'must be less than "timeouts.stallSeconds", which watches over the container from outside';
      if (itemSeconds >= stallSeconds) context.addIssue({ code: 'custom', path: ['itemSeconds'], message });
    })
    .transform(fillTimeouts)
    .prefault({}),
});

const schema = properties
  .superRefine(({ input, output, tolerate }, context) => {
    if (input.images !== undefined && input.onDamage === 'keep')
      context.addIssue({ code: 'custom', path: ['input', 'onDamage'], message: 'is for a video; leave it out' });
    const asVideo = makesFrames(input);
    const message = fillProblem(input, tolerate);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['tolerate', 'fill'], message });
    if (!asVideo && output.frameFormat === 'ppm')
      context.addIssue({
        code: 'custom',
        path: ['output', 'frameFormat'],
        message: 'is "ppm", which is for the frames of a video; set it to "png" or "jpg"',
      });
    const others = asVideo ? (['images'] as const) : (['video', 'predictions', 'codec', 'quality'] as const);
    const drawn = !asVideo && output.draw ? 'draw' : undefined;
    const other = others.find((name) => output[name] !== undefined) ?? drawn;
    if (other === undefined) return;
    const [beside, otherwise] =
      input.images === undefined
        ? ['video', '']
        : asVideo
          ? ['frameRate', ', or leave the frame rate out']
          : ['images', ', or set "input.frameRate" to make a video of them'];
    const together = `does not go with "input.${beside}"; leave it out${otherwise}`;
    context.addIssue({ code: 'custom', path: ['output', other], message: together });
  })
  .transform(({ output, ...spec }) => {
    const usual = makesFrames(spec.input) ? DEFAULT_FRAME_FORMAT : DEFAULT_IMAGE_FORMAT;
    const { codec = DEFAULT_CODEC, frameFormat = usual } = output;
    return { ...spec, output: { ...output, codec, frameFormat } };
  });

/** A job specification with every default filled in. */
export type JobSpec = z.output<typeof schema>;

/** Whether the items are frames of a video that the job makes, or of one that it reads. */
export const makesFrames = ({
  images,
  frameRate,
}: Pick<z.output<typeof properties>['input'], 'images' | 'frameRate'>): boolean =>
  images === undefined || frameRate !== undefined;

/** What is wrong with what a lost frame is to show, as the end of a sentence. */
function fillProblem(
  input: z.output<typeof properties>['input'],
  { fill }: z.output<typeof properties>['tolerate'],
): string | undefined {
  if (fill === undefined) return undefined;
  if (!makesFrames(input)) return 'is for a video; leave it out';
  if (input.images !== undefined && fill === 'source')
    return 'must be "previous" where frames are files, which may be broken; leave it out';
  return undefined;
}

/** Path of the video, or of the folder of images, or the URL of the video. */
export const inputOf = ({ input }: Pick<JobSpec, 'input'>): string => input.video ?? input.images ?? input.url ?? '';

/**
 * Reads a job specification from the text of an HTTP body.
 * @throws JobError `user`: the sentence names up to three wrong properties and what they must be.
 */
export function parseSpec(text: string): JobSpec {
  return checkSpec(readSpecJson(text), 'the job specification');
}

/** Of how many items a plan may be told. */
const MOST_PLANNED = 1_000_000_000;
const plannedItems = z.object({ items: z.int().min(1).max(MOST_PLANNED).optional() });

/**
 * Reads the same from a body that may say beside it how many items there are, where storage has only some of them.
 * @throws JobError `user`, as `parseSpec`.
 */
export function parsePlanned(text: string): { spec: JobSpec; items?: number | undefined } {
  const json = readSpecJson(text);
  if (typeof json !== 'object' || json === null || !('items' in json))
    return { spec: checkSpec(json, 'the job specification') };
  const told = plannedItems.safeParse(json, { reportInput: true });
  if (!told.success) throw wrongIn('the body', told.error);
  const { items: _, ...spec } = json;
  return { spec: checkSpec(spec, 'the job specification'), items: told.data.items };
}

function readSpecJson(text: string): unknown {
  checkSpecSize(new TextEncoder().encode(text).length);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new JobError(
      'user',
      'The job specification is not valid JSON; send an object such as {"input":{"video":"inbox/a.mp4"},"model":"starry-night"}.',
      { cause },
    );
  }
}

/**
 * Reads a job specification that was put together from files.
 * @param source what it comes from, for the sentence.
 * @throws JobError `user`, as `parseSpec`.
 */
export function readSpec(value: unknown, source: string): JobSpec {
  checkSpecSize(new TextEncoder().encode(JSON.stringify(value)).length, `What ${source} asks for`);
  return checkSpec(value, source);
}

function checkSpec(value: unknown, source: string): JobSpec {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw wrongIn(source, result.error);
}

function wrongIn(source: string, cause: z.ZodError): JobError {
  const wrong = cause.issues.slice(0, 3).map(sentence).join('; ');
  return new JobError('user', `In ${source} ${wrong}.`, { cause });
}

/** What of a specification says how and where items are scored. */
const scoring = properties.pick({ batch: true, compute: true, retry: true, tolerate: true, timeouts: true });

/**
 * The specification with other values for how and where items are scored.
 * @throws JobError `user`, as `parseSpec`.
 */
export function changeSpec(spec: JobSpec, values: Record<keyof z.output<typeof scoring>, object>): JobSpec {
  const result = scoring.safeParse(values, { reportInput: true });
  if (!result.success) throw wrongIn('the redrive', result.error);
  const problem = fillProblem(spec.input, result.data.tolerate);
  if (problem !== undefined) throw new JobError('user', `In the redrive "tolerate.fill" ${problem}.`);
  return { ...spec, ...result.data };
}

/** @throws JobError `user`: a specification of this many bytes is too long. */
export function checkSpecSize(bytes: number, what = 'The job specification'): void {
  if (bytes > MAX_SPEC_BYTES)
    throw new JobError('user', `${what} is ${bytes} bytes long; at most ${MAX_SPEC_BYTES} are accepted.`);
}

/** @throws JobError `user`: what a job would be started with is too long. */
export function checkInputSize(input: object): void {
  const bytes = jsonBytes(input);
  if (bytes > MOST_INPUT_BYTES)
    throw new JobError(
      'user',
      `With its defaults and the name of what starts it the job takes ${bytes} bytes; at most ${MOST_INPUT_BYTES} are accepted, however short it was written (${MAX_SPEC_BYTES} bytes at most): use shorter names.`,
    );
}

function sentence(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => `"${at ? `${at}.` : ''}${key}"`).join(', ');
    return `${names} ${issue.keys.length > 1 ? 'are not known properties' : 'is not a known property'}; remove or correct it`;
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) return `"${at}" is missing`;
  const where = at ? `"${at}"` : 'the body';
  const what = issue.message.replace(/^Invalid (input|option): /, '').replace(/^Too (small|big): /, '');
  return `${where} ${/^(must|is|has|asks|does) /.test(what) ? what : `is not valid: ${what}`}`;
}

/** A job id, which is also the instance id and part of the names of containers and container groups. */
const JOB_ID = /^[a-z0-9](?:-?[a-z0-9]){2,47}$/;

export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}

/**
 * A readable id, e.g. `coast-k3v9q2xa`: at most 24 characters of the input's file or folder name, and the random part.
 * Lower-case letters, digits and single hyphens, as names of blob containers and container groups demand.
 * @param random 8 lower-case letters or digits.
 */
export function makeJobId(inputPath: string, random: string): string {
  const file = inputPath.split('/').findLast((part) => part !== '') ?? '';
  const slug = file
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 24)
    .replace(/^-+|-+$/g, '');
  return `${slug || 'job'}-${random}`;
}
