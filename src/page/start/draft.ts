import { DEFAULT_CODEC, type FrameFormat, type Quality, type VideoCodec } from '../../job/items/formats.js';

/** What the user has chosen for a job, as fields of a form hold it: '' is what the app does by itself. */
export interface Draft {
  model: string;
  codec: VideoCodec;
  quality: '' | Quality;
  /** A number, as text. */
  maxParallel: string;
  /** How many items may fail: `3` or `2%`. */
  tolerate: string;
  draw: boolean;
  onDamage: 'fail' | 'keep';
  /** Images a second of the video that they become: `24` or `24000/1001`. */
  frameRate: string;
  /** What the result is called; below `outbox/` or, for a caller who is kept apart, below its folder there. */
  output: string;
  frameFormat: '' | FrameFormat;
  keepFrames: boolean;
  overwrite: boolean;
  reuse: boolean;
  compute: '' | 'local' | 'aci' | 'container-apps';
  gpu: '' | 'prefer' | 'require';
  batchSize: string;
}

export const EMPTY_DRAFT: Draft = {
  model: '',
  codec: DEFAULT_CODEC,
  quality: '',
  maxParallel: '',
  tolerate: '',
  draw: false,
  onDamage: 'fail',
  frameRate: '',
  output: '',
  frameFormat: '',
  keepFrames: false,
  overwrite: false,
  reuse: false,
  compute: '',
  gpu: '',
  batchSize: '',
};

/** What a job would score, as far as it matters for its specification. */
export interface Place {
  kind: 'video' | 'images';
  path: string;
}

/** Whether the job makes a video, of a model that gives pictures or draws. */
export const makesVideo = (kind: Place['kind'], { frameRate }: Draft) => kind === 'video' || frameRate.trim() !== '';

/** The job specification: what the user has left alone is left out. */
export function specOf(draft: Draft, { kind, path }: Place, style: string | undefined): object {
  const { codec, quality, maxParallel, onDamage, frameRate, frameFormat, compute, gpu, batchSize } = draft;
  const asVideo = makesVideo(kind, draft);
  const input = {
    [kind]: path,
    ...(kind === 'video' && onDamage === 'keep' && { onDamage }),
    ...(kind === 'images' && asVideo && { frameRate: numberIn(frameRate) }),
  };
  const output = {
    ...(asVideo && codec !== DEFAULT_CODEC && { codec }),
    ...(asVideo && quality !== '' && codec !== 'ffv1' && { quality }),
    ...(asVideo && draft.draw && { draw: true }),
    ...(draft.output.trim() !== '' && (asVideo ? { video: outbox(draft.output) } : { images: outbox(draft.output) })),
    ...(frameFormat !== '' && (asVideo || frameFormat !== 'ppm') && { frameFormat }),
    ...(draft.keepFrames && { keepFrames: true }),
    ...(draft.overwrite && { overwrite: true }),
  };
  const batch = {
    ...(maxParallel.trim() !== '' && { maxParallel: numberIn(maxParallel) }),
    ...(batchSize.trim() !== '' && { size: numberIn(batchSize) }),
  };
  const where = { ...(compute !== '' && { kind: compute }), ...(gpu !== '' && { gpu }) };
  return {
    input,
    model: draft.model,
    ...(style !== undefined && { style }),
    ...(draft.reuse && { reuse: true }),
    ...filled('output', output),
    ...filled('batch', batch),
    ...filled('compute', where),
    ...filled('tolerate', toleranceOf(draft.tolerate)),
  };
}

const filled = (name: string, value: object) => (Object.keys(value).length === 0 ? {} : { [name]: value });

/** A number where it is one; what is not, the app refuses in its own words. */
const numberIn = (text: string): number | string => (/^\s*[+-]?[\d.]+\s*$/.test(text) ? Number(text) : text.trim());

function toleranceOf(text: string): object {
  const trimmed = text.trim();
  if (trimmed === '') return {};
  const [, percent] = /^(.*?)\s*%$/.exec(trimmed) ?? [];
  return percent === undefined ? { failedItems: numberIn(trimmed) } : { failedPercent: numberIn(percent) };
}

const outbox = (name: string) => (name.trim().startsWith('outbox/') ? name.trim() : `outbox/${name.trim()}`);

/** Fields by what the app calls them. */
const FIELDS: [RegExp, keyof Draft | 'input' | 'style'][] = [
  [/"input\.onDamage"/, 'onDamage'],
  [/"input\.frameRate"/, 'frameRate'],
  [/"input|\bvideo\b.*cannot be read/, 'input'],
  [/"style"/, 'style'],
  [/"model"|^The model/, 'model'],
  [/"output\.frameFormat"/, 'frameFormat'],
  [/"output\.keepFrames"/, 'keepFrames'],
  [/"output\.(video|images)"|"output" (asks|has a "video")|outbox\//, 'output'],
  [/"output\.codec"/, 'codec'],
  [/"output\.quality"|has a "quality"/, 'quality'],
  [/"?output\.draw"?|"draw"/, 'draw'],
  [/"batch\.maxParallel"/, 'maxParallel'],
  [/"batch\.size"/, 'batchSize'],
  [/"tolerate/, 'tolerate'],
  [/"compute\.gpu"/, 'gpu'],
  [/"compute/, 'compute'],
  [/"reuse"/, 'reuse'],
];

/** What the user has uploaded: where it is, and what it is called at home. */
export interface Uploaded {
  field: 'input' | 'style';
  path: string;
  name: string;
}

/** What the app says, with uploads by their names at home, and the field that it belongs to. */
export function saidOf(sentence: string, uploads: readonly Uploaded[]) {
  const about = uploads.find(({ path }) => sentence.includes(path));
  const named = uploads.reduce(
    (said, { path, name }) => said.replaceAll(path, () => (path.endsWith('/') ? `${name}/` : name)),
    sentence,
  );
  return { field: fieldOf(sentence) ?? about?.field, message: named };
}

/** Beside which field a sentence of the app belongs; undefined: it is about something else. */
export const fieldOf = (sentence: string) => FIELDS.find(([name]) => name.test(sentence))?.[1];
