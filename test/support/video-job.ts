import { parseSpec } from '../../src/job/spec.js';
import type { Media } from '../../src/media/media.js';
import { FRAMES_PREFIX } from '../../src/container-contract/places.js';
import { jobOf, workOf } from '../../src/job-store/layout.js';
import { writeResolvedJob } from '../../src/job-store/resolved-job.js';
import { writeSettled } from '../../src/job-store/batches/settled.js';
import { writeSplitChunks } from '../../src/job-store/videos/video-timing.js';
import type { ModelCard } from '../../src/model-card/schema.js';
import type { Storage } from '../../src/storage/storage.js';

export interface VideoJobFiles {
  storage: Storage;
  media: Media;
  clip: string;
  /** Frames that one activity handles at most: whole packs. */
  chunkFrames: number;
  /** Frames of a pack; left out: each is a file of its own. */
  pack?: number;
}

/** What `prepareJob` leaves behind of a video; gives the number of chunks that it is split in. */
export async function prepareVideoJob(
  { storage, media, clip, chunkFrames, pack = 1 }: VideoJobFiles,
  jobId: string,
  {
    output,
    onDamage = 'fail',
  }: { output: { video: string; codec?: string; frameFormat?: string }; onDamage?: 'fail' | 'keep' },
): Promise<number> {
  const inbox = storage.media.getContainerClient('inbox');
  const [work, job] = [workOf(storage, jobId), jobOf(storage, jobId)];
  await Promise.all([inbox, work, job].map((container) => container.createIfNotExists()));
  await inbox.getBlockBlobClient(`${jobId}.mp4`).uploadFile(clip);
  const input = { video: `inbox/${jobId}.mp4`, onDamage };
  const spec = parseSpec(JSON.stringify({ input, model: 'none', output }));
  const video = await media.probe(clip, { keep: onDamage === 'keep' });
  const common = {
    jobId,
    card: {} as ModelCard,
    output: output.video,
    parallel: 1,
    pack,
    createdAt: new Date().toISOString(),
  };
  await writeResolvedJob(storage, {
    ...common,
    spec: { ...spec, input: { ...spec.input, ...input } },
    video,
    others: (await media.rehearse({ source: clip, facts: video, output: output.video, codec: spec.output.codec }))
      .others,
    chunkFrames,
  });
  if (video.framesEstimate <= chunkFrames || video.damaged) return 1;
  const chunks = await media.findChunks(clip, video, chunkFrames, pack);
  await writeSplitChunks(storage, jobId, chunks);
  return chunks.length;
}

/** As if the batches of the job had ended without any of these items: they are shown as they came. */
export const giveUpItems = (storage: Storage, jobId: string, unscored: number[]) =>
  writeSettled(storage, jobId, {
    batch: 0,
    attempt: 1,
    done: 0,
    failed: unscored.length,
    state: 'failed',
    message: '',
    observation: { state: 'succeeded' },
    phases: [],
    unscored,
  });

/** Name and version of each frame in storage. */
export async function frameVersions(storage: Storage, jobId: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { name, properties } of workOf(storage, jobId).listBlobsFlat({ prefix: FRAMES_PREFIX }))
    found.set(name, properties.etag);
  return found;
}
