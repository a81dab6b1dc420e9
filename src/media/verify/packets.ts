import { createInterface } from 'node:readline';
import { local, QUIET, UNTRUSTED } from '../ffmpeg/arguments.js';
import { ffmpegFailure } from '../ffmpeg/failure.js';
import { start, type Program } from '../ffmpeg/process.js';

/** The packets of a file one by one, so that an hour of sound takes no more memory than a second. */
export async function* packets(
  ffprobe: Program,
  file: string,
  options: string[],
  entries: string,
  signal?: AbortSignal,
  mayBreak = false,
) {
  const shown = ['-show_entries', entries, '-of', 'compact=p=0'];
  const running = start(ffprobe, [...QUIET, ...UNTRUSTED, ...options, ...shown, local(file)], signal);
  running.stdin.end();
  try {
    for await (const line of createInterface({ input: running.stdout }))
      if (line !== '') yield new Map(line.split('|').map((field) => halves(field)));
    const end = await running.ended;
    signal?.throwIfAborted();
    if (end.code !== 0 && !mayBreak) throw ffmpegFailure(ffprobe, end, 'read the output back');
  } finally {
    running.kill();
    await running.ended;
  }
}

function halves(field: string): [string, string] {
  const at = field.indexOf('=');
  return [field.slice(0, at), field.slice(at + 1)];
}
