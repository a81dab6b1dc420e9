import { z } from 'zod';
import { local, type Program, QUIET, run, UNTRUSTED } from '../ffmpeg/process.js';
import type { Packet } from './packets.js';

const frameSchema = z.object({
  width: z.number(),
  height: z.number(),
  pix_fmt: z.string().optional(),
  interlaced_frame: z.number().optional(),
  color_range: z.string().optional(),
  color_space: z.string().optional(),
  color_primaries: z.string().optional(),
  color_transfer: z.string().optional(),
});

/** What a decoded frame says of itself, as ffprobe prints it. */
export type FrameSample = z.infer<typeof frameSchema>;

const samplesSchema = z.object({ frames: z.array(frameSchema.partial()) });

/** Decoded at the beginning, and at each of the other places. */
const FIRST_PACKETS = 8;
const PACKETS = 3;
const PLACES = 12;
/** Seconds behind the time of a key frame, so that rounding does not lead to the one before. */
const BEHIND = 0.001;

/**
 * Decodes the first frames, and a few behind key frames all over the video, because the header of a file tells only what its first frame
 * is like, if that. Empty where ffprobe cannot decode: the split says why.
 * @param packets in the order of presentation
 * @param tick seconds
 */
export async function sampleFrames(
  ffprobe: Program,
  file: string,
  streamIndex: number,
  packets: Packet[],
  tick: number,
): Promise<FrameSample[]> {
  const keys = packets.slice(FIRST_PACKETS).filter(({ key, time }) => key && !Number.isNaN(time));
  const step = Math.max(1, keys.length / PLACES);
  const places = Array.from({ length: Math.min(PLACES, keys.length) }, (_, place) => keys[Math.floor(place * step)]);
  const seconds = places.map((packet) => ((packet?.time ?? 0) * tick + BEHIND).toFixed(6));
  const intervals = [`%+#${FIRST_PACKETS}`, ...seconds.map((time) => `${time}%+#${PACKETS}`)].join(',');
  const what = ['-select_streams', String(streamIndex), '-read_intervals', intervals];
  const shown = ['-show_entries', `frame=${Object.keys(frameSchema.shape).join(',')}`, '-of', 'json'];
  const { stdout } = await run(ffprobe, [...QUIET, ...UNTRUSTED, ...what, ...shown, local(file)]);
  return parseSamples(stdout.toString());
}

function parseSamples(text: string): FrameSample[] {
  try {
    const { frames } = samplesSchema.parse(JSON.parse(text));
    return frames.flatMap((frame) => frameSchema.safeParse(frame).data ?? []);
  } catch {
    // ffprobe ended half-way.
    return [];
  }
}

/** Whether a frame consists of two fields. */
export const hasFields = (frames: FrameSample[], codec: string | undefined) =>
  tellsFields(codec) && frames.some(({ interlaced_frame }) => interlaced_frame === 1);

/** A PNG is called interlaced when it is stored in several passes, and a picture of H.265 when it is a single field. */
export const tellsFields = (codec: string | undefined) => codec !== 'png' && codec !== 'apng' && codec !== 'hevc';
