import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createMedia, type FfmpegPaths } from '../../../src/media/media.js';
import { makeClip } from '../../support/clip.js';
import { builds, collect, framesOf, PICTURE_ONLY, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'killed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const clip = makeClip(path.join(folder, 'clip.mp4'));

/** The program, which a signal ends as soon as it is told to do what has this word among its arguments. */
function endingBy(signal: NodeJS.Signals, word: string, program: string): string {
  const file = path.join(folder, `${path.basename(program)}-${signal}-${word.replaceAll(/\W/g, '')}`);
  const lines = [
    '#!/bin/sh',
    `case "$*" in *'${word}'*) kill -s ${signal.slice(3)} $$;; esac`,
    `exec '${program}' "$@"`,
  ];
  writeFileSync(file, lines.join('\n'));
  chmodSync(file, 0o755);
  return file;
}

describe.each(builds)('ffmpeg from $name', ({ media, tools }) => {
  const ending = (signal: NodeJS.Signals, word: string) => {
    const paths: FfmpegPaths = {
      ffmpeg: endingBy(signal, word, tools.ffmpeg),
      ffprobe: endingBy(signal, word, tools.ffprobe),
    };
    return createMedia(paths);
  };
  const probe = (signal: NodeJS.Signals, word: string, keep = false) => ending(signal, word).probe(clip, { keep });
  const split = async (signal: NodeJS.Signals) =>
    collect(ending(signal, 'framecrc').split(clip, { format: 'ppm', facts: await media.probe(clip) }));
  const stitch = async (signal: NodeJS.Signals) => {
    const { facts, frames, timetable } = await splitWhole(media, clip);
    const output = path.join(folder, 'out.mp4');
    const request = {
      format: 'ppm',
      source: clip,
      facts,
      timetable,
      others: PICTURE_ONLY,
      output,
      codec: 'h264',
    } as const;
    await ending(signal, 'out.mp4').stitch({ ...request, frames: framesOf(frames) });
  };
  const stages: [string, (signal: NodeJS.Signals) => Promise<unknown>][] = [
    ['opens the file', (signal) => probe(signal, '-show_format')],
    ['lists its frames', (signal) => probe(signal, 'packet=pts')],
    ['lists its frames, of a file that may be damaged,', (signal) => probe(signal, 'packet=pts', true)],
    ['looks at its frames', (signal) => probe(signal, '-read_intervals')],
    ['splits it', split],
    ['writes the output', stitch],
  ];

  it.each(stages)('that is killed from outside while it %s is not taken for a broken video', async (_, run) => {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const)
      await expect(run(signal)).rejects.toMatchObject({
        blame: 'platform',
        message: expect.stringMatching(
          new RegExp(
            `^ff(mpeg|probe) was killed by ${signal} before it could .*, perhaps because memory is short; try`,
          ),
        ),
      });
  });

  const crashing = stages.filter(([stage]) => !/look|may be|lists/.test(stage));
  it.each(crashing)('that crashes while it %s would do so again', async (_, run) => {
    await expect(run('SIGSEGV')).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(/crash.*\(?SIGSEGV\)?.*name another/),
    });
  });
});
