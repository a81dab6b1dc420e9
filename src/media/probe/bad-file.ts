import { open, stat } from 'node:fs/promises';
import { JobError, messageOf } from '../../job/failure.js';
import { BROKEN, reasonIn } from '../ffmpeg/process.js';
import type { Ended } from '../../processes/child-process.js';

/** @throws JobError `user` when there is no file, or when it is empty. */
export async function checkReadable(file: string, name: string): Promise<void> {
  const found = await stat(file).catch((cause: unknown) => {
    const why = hasCode(cause, 'ENOENT') ? 'there is no such file' : messageOf(cause);
    throw new JobError('user', `${name} cannot be read: ${why}; check the name.`, { cause });
  });
  if (!found.isFile()) throw new JobError('user', `${name} is not a file; name a video file.`);
  if (found.size === 0) throw new JobError('user', `${name} is empty (0 bytes); copy or upload it again.`);
}

const hasCode = (error: unknown, code: string) => error instanceof Error && 'code' in error && error.code === code;

/** Streams of pictures without a file around them that says when they are shown, by ffmpeg's name for what reads them. */
const RAW_STREAMS: Record<string, string> = {
  h264: 'H.264',
  hevc: 'H.265',
  vvc: 'H.266',
  obu: 'AV1',
  av1: 'AV1',
  mpegvideo: 'MPEG-1 or MPEG-2',
  m4v: 'MPEG-4',
  h263: 'H.263',
  h261: 'H.261',
  mjpeg: 'Motion JPEG',
  vc1: 'VC-1',
  dirac: 'Dirac',
  cavsvideo: 'AVS',
  avs2: 'AVS2',
  avs3: 'AVS3',
  dnxhd: 'DNxHD',
};

/** Other files with pictures in motion, which ffmpeg can put into one that is read without encoding them again. */
const COPIED: Record<string, string> = {
  dv: 'a DV stream',
  ivf: 'an IVF file',
  yuv4mpegpipe: 'an uncompressed YUV4MPEG stream',
};

const SOUND = /^(wav|w64|mp3|flac|aac|e?ac3|aiff?|amr\w*|ape|au|caf|dts|mpc8?|opus|tta|wv|oma|s16le)$/;
const SUBTITLES = /^(srt|ass|webvtt|microdvd|subviewer1?|sami|mpl2|stl|sup|vobsub|jacosub|realtext|lrc|scc|ttml)$/;
const SCRIPTS = /^(hls|concat|dash|sdp|ffmetadata|imf|rtsp|applehttp)$/;

/** What a file is whose kind is not read, by ffmpeg's name for what reads that kind, and what to do. */
function otherKind(name: string, kind: string): string {
  const [raw, copied] = [RAW_STREAMS[kind], COPIED[kind]];
  if (raw !== undefined)
    return `${name} is a raw ${raw} stream, which does not say when its pictures are shown; put it into MP4 with its frame rate, as with "ffmpeg -framerate 25 -i FILE -c copy video.mp4".`;
  if (copied !== undefined)
    return `${name} is ${copied}, which is not read; put it into Matroska first, as with "ffmpeg -i FILE -c copy video.mkv".`;
  if (kind === 'rawvideo')
    return `${name} holds bare pixels, which say neither how large their pictures are nor when they are shown; convert it to MP4 first.`;
  if (SOUND.test(kind)) return `${name} holds only sound; give a file with pictures in it.`;
  if (SUBTITLES.test(kind)) return `${name} holds only subtitles; give a file with pictures in it.`;
  if (SCRIPTS.test(kind))
    return `${name} is not a video file but a playlist or a script that names other files; give the video itself.`;
  return `${name} is a file of a kind that is not read (${kind}); give an MP4, MOV, MKV, WebM or AVI file.`;
}

/** Why ffprobe could not open a file. */
export async function notAVideo(file: string, name: string, stderr: string): Promise<JobError> {
  const [, reader] = /^\[(\w+)[^\]]*\] Format not on whitelist/m.exec(stderr) ?? [];
  const kind = reader === 'jpeg_pipe' && /\.mjpe?g$/i.test(name) ? 'mjpeg' : reader;
  if (kind !== undefined) {
    if (/^(gif|apng|image2|ico|\w+_pipe)$/.test(kind) || (kind !== 'mjpeg' && (await startsAsPicture(file))))
      return new JobError(
        'user',
        `${name} is a picture or an animation of pictures, not a video; convert it to MP4 first.`,
      );
    return new JobError('user', otherKind(name, kind));
  }
  if (/moov atom not found/.test(stderr) && (await startsAsMp4(file))) {
    return new JobError(
      'user',
      `${name} lacks its index (the moov box): it was cut off or never finished; copy or export it again.`,
    );
  }
  return new JobError('user', `${name} is not a video that can be read; give an MP4, MOV, MKV, WebM or AVI file.`);
}

/** ffprobe believes the ending `.mp4`, whatever is inside. */
const startsAsMp4 = async (file: string) => /^.{4}(ftyp|mdat|free|skip|wide|moov)/s.test(await beginning(file));

/** GIF, PNG, JPEG or WebP. */
const startsAsPicture = async (file: string) =>
  /^(GIF8|\x89PNG|\xff\xd8\xff|RIFF.{4}WEBP)/s.test(await beginning(file));

/** The first bytes of a file as Latin-1. */
async function beginning(file: string): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(12), 0, 12, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** What ffprobe says of a file that ends too soon. */
export const CUT_OFF = /partial file|ended prematurely|Truncat/i;

/** What is wrong with a file, judging by how ffprobe ended after reading all packets; undefined when nothing is. */
export function damage({ code, stderr }: Ended, name: string): JobError | undefined {
  if (CUT_OFF.test(stderr)) {
    return new JobError(
      'user',
      `${name} is cut off: it ends before its last frame; copy or upload it again, or set "input.onDamage" to "keep" (--on-damage keep).`,
    );
  }
  return code === 0
    ? undefined
    : new JobError(
        'user',
        `${name} is damaged (${reasonIn(stderr, BROKEN)}); copy or export it again, or set "input.onDamage" to "keep" (--on-damage keep).`,
      );
}
