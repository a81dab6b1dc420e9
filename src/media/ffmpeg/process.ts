import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { JobError } from '../../job/failure.js';
import { type Ended, isFromOutside, PERHAPS_MEMORY, runChild, startChild } from '../../processes/child-process.js';
import type { MediaLimits } from '../limits.js';

/** Errors only on stderr. */
export const QUIET = ['-hide_banner', '-loglevel', 'error'];

/** On stderr also what the filters are set up for, each line with its level. */
export const TALKING = ['-hide_banner', '-nostats', '-loglevel', 'level+verbose'];

/**
 * Every container that is read, those of sound alone at the end. Playlists and scripts (HLS, concat, DASH, image sequences) would make
 * ffmpeg open other files.
 */
const CONTAINERS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,nut,mxf,mp3,wav,flac,aac';

/** Goes in front of any file that came from outside: no network, and no container that points elsewhere. */
export const UNTRUSTED = ['-protocol_whitelist', 'file,pipe', '-format_whitelist', CONTAINERS];

/** A local path as ffmpeg reads it: a name such as `http:x.mp4` or `-i.mp4` stays a file name. */
export const local = (file: string) => `file:${file}`;

/** Arguments that have no spaces in them, as a list. */
export const words = (text: string) => text.split(' ');

/** A program and what it is allowed. */
export interface Program {
  path: string;
  /** Words in front of the program that take rights from it; see `confinement`. */
  confinement: string[];
  /** All that the program gets of the environment. */
  environment: NodeJS.ProcessEnv;
  limits: MediaLimits;
  /** Kills it when aborted. */
  signal?: AbortSignal | undefined;
}

export interface Tools {
  ffmpeg: Program;
  ffprobe: Program;
}

export interface Running {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Settles when the program is gone and its pipes are closed; never rejects. */
  ended: Promise<Ended>;
  /** Kills the program and waits until it is gone; harmless when it is gone already. */
  stop: () => Promise<void>;
}

/**
 * Starts ffmpeg or ffprobe. Whoever starts it stops it in a `finally`, so that no process outlives its call.
 * @param onSide takes what the program writes to its file descriptor 3, which it has only then
 */
export function start(program: Program, args: string[], onSide?: (text: string) => void): Running {
  const [command, all, options] = commandOf(program, args);
  const { stdin, stdout, stderr, ended, kill } = startChild(command, all, { ...options, onSide });
  return {
    stdin,
    stdout,
    stderr,
    ended: ended.then(withoutWrapper),
    stop: async () => {
      kill();
      await ended;
    },
  };
}

/**
 * Runs ffmpeg or ffprobe to its end and gives what it printed.
 * @throws JobError `user` when it cannot be started, `platform` when it was killed from outside; any other end is the caller's to judge.
 */
export async function run(program: Program, args: string[]): Promise<Ended & { stdout: Buffer }> {
  const [command, all, options] = commandOf(program, args);
  const { stdout, ...ended } = await runChild(command, all, options);
  const end = withoutWrapper(ended);
  if (end.notStarted) throw cannotStart(program, end.notStarted);
  if (isKilled(end)) throw wasKilled(program, end, 'finish');
  return { ...end, stdout };
}

function commandOf({ path, confinement, environment, limits, signal }: Program, args: string[]) {
  // A static ffprobe crashes when it loads character sets of another C library, as it does for transport streams. It finds none here.
  const env = { ...environment, GCONV_PATH: '/dev/null' };
  const [command = path, ...all] = [...confinement, path, ...args];
  return [command, all, { env, timeLimit: limits.seconds, ...(signal ? { signal } : {}) }] as const;
}

/** When confinement runs but cannot start the program, only its last words say so. */
function withoutWrapper(end: Ended): Ended {
  const failed = /^(setpriv: failed to execute|unshare: )/.test(end.stderr);
  return failed ? { ...end, notStarted: new Error(end.stderr.trim()) } : end;
}

/** Whether it was killed from outside, which says nothing of the file. */
export const isKilled = ({ signal, tooLong }: Ended) => !tooLong && isFromOutside(signal);

const wasKilled = ({ path }: Program, { signal }: Ended, doing: string) =>
  new JobError(
    'platform',
    `${nameOf(path)} was killed by ${signal} before it could ${doing}, ${PERHAPS_MEMORY}; try again when other programs need less.`,
  );

const nameOf = (program: string) => (/ffprobe/.test(basename(program)) ? 'ffprobe' : 'ffmpeg');

/**
 * What an unsuccessful end of ffmpeg means. Killed from outside is worth another try, so `platform`; anything else, a crash too, would fail
 * again the same way.
 * @param doing what failed, such as `split coast.mp4`
 */
export function ffmpegFailure(program: Program, end: Ended, doing: string): JobError {
  if (end.notStarted) return cannotStart(program, end.notStarted);
  const user = (sentence: string) => new JobError('user', sentence);
  if (end.tooLong)
    return user(
      `ffmpeg did not ${doing} within ${program.limits.seconds} s; shorten the video or raise FFMPEG_SECONDS.`,
    );
  if (isKilled(end)) return wasKilled(program, end, doing);
  if (end.signal)
    return user(
      `${nameOf(program.path)} crashes (${end.signal}) when it is to ${doing}; name another one in the settings.`,
    );
  if (isDiskFull(end))
    return user(`The disk is full: ffmpeg could not ${doing}; free some space or choose another temporary folder.`);
  return user(`ffmpeg could not ${doing}: ${reasonIn(end.stderr)}.`);
}

export const isDiskFull = ({ stderr }: Ended) => /No space left on device/.test(stderr);

function cannotStart({ path }: Program, cause: Error): JobError {
  const sentence = `Cannot start ${path}; install FFmpeg or name a working binary in the settings.`;
  return new JobError('user', sentence, { cause });
}

/** Lines that say only that something went wrong. */
const EMPTY_WORDS =
  /^(Conversion failed!|aborting|Exiting|Task finished|Terminating|Nothing was written|Error (initializing|opening|writing|submitting|while processing|sending)|Last message repeated)/i;

/** What ffmpeg means by most of what it says about a file. */
export const BROKEN = 'a picture or a sound in it is broken';

/** What ffmpeg's own words mean. The first one that fits counts: decoders complain about a picture before ffmpeg gives up on it. */
const MEANINGS: [own: RegExp, meaning: string][] = [
  [
    /No decoder|Decoder .*not found|Unknown decoder|no decoder found|Unsupported codec/i,
    'this build of ffmpeg cannot decode it',
  ],
  [/Encoder .*not found|Unknown encoder|Encoder not found/i, 'this build of ffmpeg has no encoder for the output'],
  [/Cannot allocate memory|Out of memory|Failed to allocate/i, 'there is not enough memory for it'],
  [/Permission denied/i, 'it may not be read or written'],
  [/Protocol .*not on whitelist|Format not on whitelist/i, 'it points to another file, which is not read'],
  [/Could not find codec parameters|unspecified size/i, 'it does not say how large its pictures are'],
  [
    /Picture size .*(invalid|exceeds)|dimensions .*(invalid|not supported)|maximum.*pixels|Video frame size.*max_pixels/i,
    'a picture has a size that is not allowed',
  ],
  [
    /Impossible to convert between the formats|reinitializing filters|configuring filters/i,
    'its kind of pixels cannot be converted',
  ],
  [/non.monotonic|increasing dts|invalid dts|timestamps? .*unset|Queue input is backward/i, 'its times go backwards'],
  [
    /Application provided|Could not write header|incorrect codec parameters|not currently supported in container|codec .*not supported/i,
    'the kind of output cannot hold one of its streams',
  ],
  [/Invalid argument/i, 'it holds a value that makes no sense'],
  [/Input\/output error/i, 'the disk could not be read or written'],
  [
    /decoding|decode|at MB|NAL unit|corrupt|damaged|conceal|invalid (data|NAL|mode)|truncat|overread|bytestream|bitstream|slice|missing reference|out of range|illegal|overflow/i,
    BROKEN,
  ],
];

/**
 * Why ffmpeg gave up, in plain words.
 * @param otherwise the reason where it says what nobody has put in plain words; its own words when left out
 */
export function reasonIn(stderr: string, otherwise?: string): string {
  const said = lastWord(stderr);
  return MEANINGS.find(([own]) => own.test(said))?.[1] ?? otherwise ?? `in its own words: ${said}`;
}

/** The last line that explains something, without the address of the object that printed it and without the path of the file. */
function lastWord(stderr: string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .filter((line) => !/^(\[[^\]]+@ 0x[0-9a-f]+\] )*\[(warning|info|verbose)\]/.test(line))
    .map((line) => line.replace(/^(\[([^\]]+@ 0x[0-9a-f]+|error|fatal)\]\s*)+|^file:.*: /i, '').trim())
    .filter((line) => line !== '');
  return (lines.findLast((line) => !EMPTY_WORDS.test(line)) ?? lines.at(-1) ?? 'no message').replace(/[.\s]+$/, '');
}
