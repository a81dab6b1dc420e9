import { open, stat } from 'node:fs/promises';
import { JobError, messageOf } from '../../job/failure.js';
import { lastWord } from '../ffmpeg/process.js';
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

/** Why ffprobe could not open a file. */
export async function notAVideo(file: string, name: string, stderr: string): Promise<JobError> {
  if (/Format not on whitelist/.test(stderr)) {
    if (await startsAsPicture(file))
      return new JobError(
        'user',
        `${name} is a picture or an animation of pictures, not a video; convert it to MP4 first.`,
      );
    return new JobError(
      'user',
      `${name} is not a video file but a playlist, a script or something else that is not read; give the video itself.`,
    );
  }
  if (/moov atom not found/.test(stderr) && (await startsAsMp4(file))) {
    return new JobError(
      'user',
      `${name} lacks its index (the moov box): it was cut off or never finished; copy or export it again.`,
    );
  }
  return new JobError(
    'user',
    `${name} is not a video that can be read (${lastWord(stderr)}); give an MP4, MOV, MKV, WebM or AVI file.`,
  );
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

/** What is wrong with a file, judging by how ffprobe ended after reading all packets; undefined when nothing is. */
export function damage({ code, stderr }: Ended, name: string): JobError | undefined {
  if (/partial file|ended prematurely|Truncat/i.test(stderr)) {
    return new JobError(
      'user',
      `${name} is cut off: it ends before its last frame; copy or upload it again, or set "input.onDamage" to "keep".`,
    );
  }
  return code === 0
    ? undefined
    : new JobError(
        'user',
        `${name} is damaged (${lastWord(stderr)}); copy or export it again, or set "input.onDamage" to "keep".`,
      );
}
