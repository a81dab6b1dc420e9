import { Presets, SingleBar } from 'cli-progress';
import type { JobStatus } from '../../api/jobs.js';

/** What is shown of a job, or of a command's own work on it. */
export interface Shown extends Pick<JobStatus, 'id' | 'items' | 'itemsPerSecond' | 'secondsLeft' | 'waiting'> {
  stage: string | null;
}

/** Shows a job's progress: a bar on a terminal, plain lines elsewhere, nothing when quiet. */
export interface ProgressView {
  show(status: Shown): void;
  end(): void;
}

export function createProgressView(stream: NodeJS.WriteStream, quiet: boolean, unit = 'frames'): ProgressView {
  if (quiet) return { show: () => undefined, end: () => undefined };
  return stream.isTTY ? barView(stream, unit) : lineView(stream, unit);
}

/** What a terminal has room for behind the bar. */
const WAITING_LENGTH = 50;
const FORMAT = '{stage} |{bar}| {value}/{total} {unit}  {rate}  {left}';

function barView(stream: NodeJS.WriteStream, unit: string): ProgressView {
  const bar = new SingleBar(
    { format: FORMAT, stream, hideCursor: true, barsize: 30, noTTYOutput: false },
    Presets.shades_classic,
  );
  let shown = '';
  return {
    show(status) {
      const stage = status.stage ?? 'queued';
      const { rate, left } = words(status, unit);
      const payload = { stage: stage.padEnd(7), unit, rate, left: status.waiting[0]?.slice(0, WAITING_LENGTH) ?? left };
      if (shown === '') {
        stream.write(naming(status));
        bar.start(status.items.total, status.items.done, payload);
      }
      shown = stage;
      bar.setTotal(Math.max(1, status.items.total));
      bar.update(status.items.done, payload);
    },
    end: () => bar.stop(),
  };
}

const LINE_EVERY_MS = 5000;

function lineView(stream: NodeJS.WriteStream, unit: string): ProgressView {
  let stage = '';
  let last = 0;
  let waiting = '';
  return {
    show(status) {
      if (last === 0) stream.write(naming(status));
      const now = Date.now();
      const why = status.waiting.join(' ');
      if (why !== waiting && why !== '') stream.write(`waiting: ${why}\n`);
      waiting = why;
      const current = status.stage ?? 'queued';
      if (current === stage && now - last < LINE_EVERY_MS) return;
      stage = current;
      last = now;
      const { rate, left } = words(status, unit);
      const { done, total, failed } = status.items;
      stream.write(
        `${current}: ${done}/${total} ${unit}${failed > 0 ? `, ${failed} failed` : ''}${rate ? `, ${rate}` : ''}${left ? `, ${left}` : ''}\n`,
      );
    },
    end: () => undefined,
  };
}

/** The command `logs` asks for it. */
const naming = ({ id }: Shown) => `job: ${id}\n`;

function words(status: Shown, unit: string): { rate: string; left: string } {
  return {
    rate: status.itemsPerSecond === null ? '' : `${status.itemsPerSecond.toFixed(1)} ${unit}/s`,
    left: status.secondsLeft === null ? '' : `${status.secondsLeft} s left`,
  };
}
