import Table from 'cli-table3';
import { counted } from '../../job/failure.js';
import type { JobStatus } from '../../api/jobs.js';

/** What `score` says about a video in the end, and prints as JSON with `--json`. */
export interface Summary {
  job: string;
  output: string;
  contactSheet: string | null;
  frames: number;
  failedFrames: number;
  batches: number;
  /** Container runs; more than batches when some had to be run again. */
  attempts: number;
  framesPerSecond: number | null;
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

export function summarise(
  status: JobStatus,
  own: OwnSeconds,
  files: { output: string; contactSheet: string | null },
): Summary {
  return {
    job: status.id,
    ...files,
    frames: status.items.total,
    failedFrames: status.items.failed,
    batches: status.batches.total,
    attempts: status.attempts,
    framesPerSecond: status.itemsPerSecond,
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
  table.push(['total', totalSeconds.toFixed(1)]);
  return table.toString();
}

export function renderSummary(summary: Summary): string {
  const rate = summary.framesPerSecond === null ? '' : `, ${summary.framesPerSecond.toFixed(1)} frames/s`;
  const again = summary.attempts > summary.batches ? `, ${counted(summary.attempts, 'container run')}` : '';
  const failed = summary.failedFrames > 0 ? `, ${summary.failedFrames} failed` : '';
  return [
    renderSeconds(summary),
    ...summary.warnings.map((warning) => `Warning: ${warning}`),
    `${counted(summary.frames, 'frame')} in ${counted(summary.batches, 'batch')}${again}${rate}${failed}`,
    `Video:         ${summary.output}`,
    ...(summary.contactSheet === null ? [] : [`Contact sheet: ${summary.contactSheet}`]),
  ].join('\n');
}
