import { choosePack, chooseResultPack, chunkFrames, fitFrames } from '../../job/plan.js';
import type { FrameFormat } from '../../job/items/formats.js';
import type { JobSpec } from '../../job/spec.js';
import { OUTBOX } from '../../job-store/layout.js';
import { predictionEnding } from '../../job-store/images/items.js';
import type { Handed, ResolvedJob } from '../../job-store/resolved-job.js';
import { writeSplitChunks } from '../../job-store/videos/video-timing.js';
import type { PictureShape, Rational, VideoFacts } from '../../media/media.js';
import { resultSize } from '../../model-card/complete-size.js';
import { givesPictures, type ModelCard } from '../../model-card/schema.js';
import type { Ports } from '../ports.js';
import type { LocalVideo } from './resolve-inputs.js';
import { checkResult, checkShape } from './check-job.js';

export interface Resolution extends Handed {
  job: ResolvedJob;
}

type Common = Pick<
  ResolvedJob,
  | 'jobId'
  | 'run'
  | 'asked'
  | 'card'
  | 'sha256'
  | 'parallel'
  | 'computes'
  | 'gpu'
  | 'memory'
  | 'size'
  | 'createdAt'
  | 'trace'
  | 'made'
>;

export async function resolveVideo(
  ports: Ports,
  common: Common,
  spec: JobSpec,
  { video, folder, arrayBytes = 0 }: { video: LocalVideo; folder: string; arrayBytes: number | undefined },
): Promise<Resolution> {
  const { name, file, facts } = video;
  const frames = 'picture' in video ? video : undefined;
  checkResult(common.card, spec);
  const predicts = !givesPictures(common.card);
  const delivers = !predicts ? 'video' : spec.output.draw ? 'video and predictions' : 'predictions';
  // Files that are frames may turn out to have other sizes than they say.
  const shape = shapeOf(common.card, facts) ?? (frames && squareOf(facts));
  const predictions = spec.output.predictions ?? `${OUTBOX}/${common.jobId}/`;
  const { video: named, codec, quality } = spec.output;
  if (delivers !== 'predictions') checkShape({ ...facts, ...shape }, spec, name);
  const rehearsed =
    delivers === 'predictions'
      ? undefined
      : await ports.media.rehearse({ source: file, folder, facts, shape, codec, quality, output: named });
  const { format: frameFormat, warning } = await fit(ports, spec, facts, delivers === 'predictions' ? [] : [shape]);
  const largest = ports.chunkFrames ?? Math.min(chunkFrames(facts), chunkFrames({ ...facts, ...shape }));
  const { pack: asked, size } = spec.batch;
  const pack = Math.min(
    largest,
    choosePack({
      asked,
      expected: facts.framesEstimate,
      size,
      maxParallel: common.parallel,
      bytesPerItem: Math.max(
        arrayBytes,
        BYTES_PER_PIXEL * pixelsOf(facts),
        BYTES_PER_PIXEL * pixelsOf({ ...facts, ...shape }),
      ),
    }),
  );
  const most = largest - (largest % pack);
  return {
    job: {
      ...common,
      spec: { ...spec, output: { ...spec.output, frameFormat } },
      video: facts,
      ...('etag' in video && video.etag !== undefined && { videoEtag: video.etag }),
      ...(frames && { images: name, ...(frames.sound !== undefined && { sound: frames.sound }) }),
      ...(shape && { shape }),
      pack,
      chunkFrames: most,
      others: rehearsed?.others ?? { streams: [], pictureTags: [], anyTags: false },
      output: rehearsed ? (named ?? `${OUTBOX}/${common.jobId}${rehearsed.ending}`) : predictions,
      ...(predicts && { predictions }),
    },
    expectedItems: facts.framesEstimate,
    splitChunks: file === undefined || frames ? 0 : await planSplit(ports, common.jobId, { file, facts, most, pack }),
    pack,
    delivers,
    enlarged: rehearsed ? pixelsOf({ ...facts, ...shape }) / pixelsOf(facts) : 0,
    warnings: [...facts.warnings, ...(rehearsed?.warnings ?? []), ...(warning === undefined ? [] : [warning])],
  };
}

/** What the frames are stored as. @param made the shapes of what is stored for each frame besides itself; undefined: its own. */
async function fit(
  { freeBytes }: Ports,
  { output: { frameFormat } }: JobSpec,
  facts: VideoFacts,
  made: (PictureShape | undefined)[],
): Promise<{ format: FrameFormat; warning?: string }> {
  if (freeBytes === undefined) return { format: frameFormat };
  const pixels = [facts, ...made].reduce((sum, shape) => sum + pixelsOf({ ...facts, ...shape }), 0);
  return fitFrames(frameFormat, BYTES_PER_PIXEL * pixels * facts.framesEstimate, await freeBytes());
}

/** Of a frame in memory and, at most, in storage. */
const BYTES_PER_PIXEL = 3;

const pixelsOf = ({ width, height }: Pick<VideoFacts, 'width' | 'height'>) => width * height;

/** Cuts a video that is too long for one activity. A short one is not read for it. @returns the number of chunks. */
async function planSplit(
  { storage, media }: Ports,
  jobId: string,
  { file, facts, most, pack }: { file: string; facts: VideoFacts; most: number; pack: number },
): Promise<number> {
  if (facts.framesEstimate <= most || facts.damaged) return 1;
  const chunks = await media.findChunks(file, facts, most, pack);
  await writeSplitChunks(storage, jobId, chunks);
  return Math.max(1, chunks.length);
}

export function resolveImages(common: Common, spec: JobSpec, arrayBytes: number | undefined): Resolution {
  const output = spec.output.images ?? `${OUTBOX}/${common.jobId}/`;
  const { pack: asked } = spec.batch;
  // Pictures are what users get, under their names; the lines of a whole list make one part of the predictions.
  const pack =
    givesPictures(common.card) || predictionEnding(common.card) === 'png' ? 1 : chooseResultPack(asked, arrayBytes);
  const job = { ...common, spec, images: spec.input.images ?? '', pack, output };
  return { job, warnings: [], expectedItems: 0, splitChunks: 0, delivers: 'images', enlarged: 0 };
}

/** How the output shows the frames; undefined when as the source does. A picture that the model stretches is shown in its old proportions. */
function shapeOf({ output }: ModelCard, facts: VideoFacts): PictureShape | undefined {
  const { width, height } = resultSize(output, facts);
  if (width === facts.width && height === facts.height) return undefined;
  const { num, den } = facts.sampleAspect;
  if (output.kind !== undefined && output.kind !== 'image') return undefined;
  const stretched = output.size ? [facts.width * height, facts.height * width] : [1, 1];
  return { width, height, sampleAspect: reduce(num * (stretched[0] ?? 1), den * (stretched[1] ?? 1)) };
}

const squareOf = ({ width, height, sampleAspect }: VideoFacts): PictureShape => ({ width, height, sampleAspect });

function reduce(num: number, den: number): Rational {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  const common = divisor(num, den);
  return { num: num / common, den: den / common };
}
