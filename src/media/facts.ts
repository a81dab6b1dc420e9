/** An exact fraction, such as 30000/1001. */
export interface Rational {
  num: number;
  den: number;
}

/** Rounds seconds to the microsecond; below that, differences of decimal fractions are noise. */
export const rounded = (seconds: number) => Math.round(seconds * 1e6) / 1e6;

/** The seconds of `00:00:02.060000000`, as the tag DURATION of a Matroska track has them; NaN for anything else. */
export function secondsOfClock(text = ''): number {
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(text) ?? [];
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/** Colour tags as ffprobe names them; `null` where the file says nothing. */
export interface ColourTags {
  range: string | null;
  matrix: string | null;
  primaries: string | null;
  transfer: string | null;
}

/** What is known about a file whose sound goes with frames from elsewhere. */
export interface SoundFacts {
  /** Demuxer names, such as `mov,mp4,m4a,3gp,3g2,mj2`. */
  container: string;
  /** The time stamp at which the earliest stream of the file starts, in seconds. */
  fileStart: number;
  /** How long the file says that it is; 0 where it does not say. */
  durationSeconds: number;
  audioStreams: number;
}

/** What is known about a video before a frame is decoded. Under 1 KB, so that it can travel in a job. */
export interface VideoFacts {
  /** Index in the file of the video stream that is split. */
  streamIndex: number;
  /** Demuxer names, such as `mov,mp4,m4a,3gp,3g2,mj2`. */
  container: string;
  codec: string;
  pixelFormat: string;
  /** Pixels of a split frame, after rotation. */
  width: number;
  height: number;
  /** Width of a pixel over its height, after rotation; 1/1 for square pixels. */
  sampleAspect: Rational;
  /** Frames per second; the average where the rate varies. */
  frameRate: Rational;
  variableRate: boolean;
  /** Seconds per tick of the times in the file. */
  timeBase: Rational;
  /** Frames that will be shown, counted from the packets; a damaged stream may decode to fewer. */
  framesEstimate: number;
  /** From the start of the first frame to the end of the last. */
  durationSeconds: number;
  /** How long the last frame is shown. */
  lastSeconds: number;
  /** When the first frame is shown, in seconds after the earliest stream of the file starts. */
  startTime: number;
  /** The time stamp at which the earliest stream of the file starts, in seconds; the other times count from it. */
  fileStart: number;
  audioStreams: number;
  /** Tags of the frames and of the output: BT.709 where HDR is tone-mapped. */
  colour: ColourTags;
  /** Whether frames consist of two fields. */
  interlaced: boolean;
  /** Which field of every frame comes first where only the file's header says so; null where each frame tells that of itself. */
  fieldOrder: 'tff' | 'bff' | null;
  /** Whether the pictures are known to change their size or their kind in mid-stream. */
  changing: boolean;
  /** The transfer curve of an HDR video; null for standard range. */
  hdr: 'smpte2084' | 'arib-std-b67' | null;
  /** Whether the pixels have transparency that is decoded; it is flattened on black. */
  alpha: boolean;
  /** Whether the file is known to break before its end. */
  damaged: boolean;
  /** What the output will not keep, one sentence each. */
  warnings: string[];
}
