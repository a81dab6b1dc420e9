import path from 'node:path';
import Table from 'cli-table3';
import { counted, unbroken } from '../../job/failure.js';
import { endingOf, VIDEO_ENDINGS } from '../../job/items/formats.js';
import type { JobStatus } from '../../api/jobs.js';
import { calling } from '../installed.js';

/** What was saved of a video's job. */
export interface Saved {
  /** The video; without one, the folder of the predictions, or the one table that was asked for. */
  output: string;
  /** Files in a folder, where predictions were saved there. */
  predictions: { jsonl: string; csv: string } | null;
  contactSheet: string | null;
}

/** What `score` says about a video in the end, and prints as JSON with `--json`. */
export interface Summary extends Saved {
  job: string;
  frames: number;
  failedFrames: number;
  /** Frames whose outputs were taken over from other jobs. */
  reusedFrames: number;
  batches: number;
  /** Container runs; more than batches when some had to be run again. */
  attempts: number;
  framesPerSecond: number | null;
  /** Where the time of the containers went; null when none ran. */
  containerTime: JobStatus['containerTime'];
  /** Where most of the time went, and what would help. */
  bottleneck: string | null;
  warnings: string[];
  /** Seconds per stage as the client saw them: setting up, moving files, and the stages of the job. */
  seconds: Record<string, number>;
  totalSeconds: number;
}

/** Seconds of the client's own steps. */
export interface OwnSeconds {
  start: number;
  upload: number;
  download: number;
  total: number;
}

export function summarise(status: JobStatus, own: OwnSeconds, files: Saved): Summary {
  return {
    job: status.id,
    ...files,
    frames: status.items.total,
    failedFrames: status.items.failed,
    reusedFrames: status.items.reused ?? 0,
    batches: status.batches.total,
    attempts: status.attempts,
    framesPerSecond: status.itemsPerSecond,
    containerTime: status.containerTime,
    bottleneck: bottleneckOf(status, own, 'video'),
    warnings: status.warnings,
    seconds: { start: own.start, upload: own.upload, ...status.stages, download: own.download },
    totalSeconds: own.total,
  };
}

export function renderSeconds({ seconds: stages, totalSeconds }: Pick<Summary, 'seconds' | 'totalSeconds'>): string {
  const table = new Table({
    head: ['stage', 'seconds'],
    colAligns: ['left', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const [stage, seconds] of Object.entries(stages)) table.push([stage, seconds.toFixed(1)]);
  // No sum: stages of a job that goes on may have begun in a command before.
  table.push(['this command', totalSeconds.toFixed(1)]);
  return table.toString();
}

/** How many items were not scored because their outputs were there. */
export const reusedOf = (reused: number) => (reused === 0 ? '' : `, ${reused} of them reused`);

/** Where the time of the containers went, and where most of all time did, as far as that is known. */
export const renderBottleneck = ({ containerTime, bottleneck }: Pick<Summary, 'containerTime' | 'bottleneck'>) => [
  ...(containerTime ? [containerTime.sentence] : []),
  ...(bottleneck === null ? [] : [`Bottleneck: ${bottleneck}`]),
];

/** What moves less, where a step of the command itself took most of the time. */
const LESS_TO_MOVE = {
  video: {
    upload: 'A video that lies where the app can reach it need not be: name its URL to the API (input.url).',
    pictures: 'Fewer bytes take less: quality small for a video.',
  },
  images: {
    upload: "Images that lie in the app's storage need not be: name where to the API (input.images).",
    pictures: 'Fewer bytes take less: frameFormat jpg.',
  },
};

/** What is known of the job, unless a step of the command itself took most of the time. @param of what it scored. */
export function bottleneckOf(
  { bottleneck, predictions }: Pick<JobStatus, 'bottleneck' | 'predictions'>,
  own: OwnSeconds,
  of: keyof typeof LESS_TO_MOVE,
): string | null {
  const share = (seconds: number) => `${Math.round((100 * seconds) / own.total)} % of the time went into`;
  const isMost = (seconds: number) => seconds > own.total / 2;
  const { upload, pictures } = LESS_TO_MOVE[of];
  if (isMost(own.upload)) return `${share(own.upload)} uploading. ${upload}`;
  if (isMost(own.download))
    return `${share(own.download)} saving the result.${predictions === null ? ` ${pictures}` : ''}`;
  if (isMost(own.start))
    return `${share(own.start)} starting a local stack. One that stays, "${calling('start')}", is there at once.`;
  return bottleneck;
}

export function renderSummary(summary: Summary): string {
  const rate = summary.framesPerSecond === null ? '' : `, ${summary.framesPerSecond.toFixed(1)} frames/s`;
  const again = summary.attempts > summary.batches ? `, ${counted(summary.attempts, 'container run')}` : '';
  return [
    ...renderSeconds(summary).split('\n'),
    ...summary.warnings.map((warning) => `Warning: ${warning}`),
    `${counted(summary.frames, 'frame')} in ${counted(summary.batches, 'batch')}${again}${reusedOf(summary.reusedFrames)}${rate}`,
    ...renderBottleneck(summary),
    ...(isVideo(summary) ? [`Video:         ${summary.output}`] : []),
    ...(isVideo(summary) || summary.predictions ? [] : [`Predictions:   ${summary.output}`]),
    ...(summary.predictions
      ? [`Predictions:   ${summary.predictions.jsonl} and ${path.basename(summary.predictions.csv)}`]
      : []),
    ...(summary.contactSheet === null ? [] : [`Contact sheet: ${summary.contactSheet}`]),
    ...(summary.failedFrames === 0
      ? []
      : [
          `Not scored:    ${summary.failedFrames} of ${counted(summary.frames, 'frame')}; the list failed-items of job ${summary.job} names them`,
        ]),
  ]
    .map(unbroken)
    .join('\n');
}

/** Whether it is a video that was saved. */
export const isVideo = ({ output }: Pick<Summary, 'output'>) => VIDEO_ENDINGS.includes(endingOf(output));
