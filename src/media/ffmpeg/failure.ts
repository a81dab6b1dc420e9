import { JobError } from '../../job/failure.js';
import { cannotStart, type Ended, type Program } from './process.js';

/** Lines that say no more than that it went wrong. */
const EMPTY_WORDS =
  /^(Conversion failed!|aborting|Exiting|Task finished|Terminating|Nothing was written|Error (initializing|opening|writing|submitting|while processing|sending)|Last message repeated)/i;

/** The last line that ffmpeg printed which explains something, without the address of the object that says it or the path of the file. */
export function lastWord(stderr: string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.replace(/^(\[[^\]]+@ 0x[0-9a-f]+\]\s*)+|^file:.*: /i, '').trim());
  const told = lines.filter((line) => line !== '');
  return (told.findLast((line) => !EMPTY_WORDS.test(line)) ?? told.at(-1) ?? 'no message').replace(/[.\s]+$/, '');
}

/**
 * What an unsuccessful end of ffmpeg means. Killed from outside (out of memory, a stopping machine): worth another try, so `platform`.
 * Anything else would fail again the same way.
 * @param doing what failed, such as `split coast.mp4`
 */
export function ffmpegFailure(command: Program, end: Ended, doing: string): JobError {
  if (end.notStarted) return cannotStart(command, end.notStarted);
  if (end.tooLong) {
    const seconds = command.limits.seconds;
    return new JobError(
      'user',
      `ffmpeg did not ${doing} within ${seconds} s; shorten the video or raise FFMPEG_SECONDS.`,
    );
  }
  if (end.signal) return new JobError('platform', `ffmpeg was stopped by ${end.signal} before it could ${doing}.`);
  if (/No space left on device/.test(end.stderr)) {
    return new JobError(
      'user',
      `The disk is full: ffmpeg could not ${doing}; free some space or choose another temporary folder.`,
    );
  }
  return new JobError('user', `ffmpeg could not ${doing}: ${lastWord(end.stderr)}.`);
}
