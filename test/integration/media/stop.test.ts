import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { confinement, createMedia } from '../../../src/media/media.js';
import { makeClip } from '../../support/clip.js';
import { builds, framesOf, PICTURE_ONLY, runningTools, sample, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const searchPath = process.env.PATH ?? '';
const clip = makeClip(path.join(folder, 'clip.mp4'));

describe.each(builds)('nothing is left running by ffmpeg from $name', ({ media, name, tools }) => {
  const out = (file: string) => path.join(folder, `${path.basename(name)}-${file}`);

  it('kills ffmpeg when the consumer stops early, and holds it back while the consumer is busy', async () => {
    const frames = media.split(sample, { format: 'ppm', facts: await media.probe(sample) });
    expect((await frames.next()).done).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(runningTools()).toHaveLength(1);
    await frames.return(undefined);
    expect(runningTools()).toEqual([]);
  });

  it.skipIf(confinement(searchPath).length === 0)(
    'gives ffmpeg no right of root, no way to get one and, where that can be, no network, and kills it as well',
    async () => {
      const words = confinement(searchPath);
      const confined = createMedia(tools, { confinement: words });
      const frames = confined.split(sample, { format: 'ppm', facts: await confined.probe(sample) });
      await frames.next();
      const rights = runningTools().map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
      const networks = runningTools().map((pid) => readlinkSync(`/proc/${pid}/ns/net`));
      await frames.return(undefined);
      expect(rights).toHaveLength(1);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
        expect(rights[0]).toMatch(`${set}:\t0000000000000000\n`);
      expect(rights[0]).toMatch('NoNewPrivs:\t1\n');
      if (words.some((word) => word.endsWith('unshare')))
        expect(networks[0]).not.toBe(readlinkSync('/proc/self/ns/net'));
      expect(runningTools()).toEqual([]);
      const gone = createMedia({ ...tools, ffprobe: '/nowhere/ffprobe' }, { confinement: words });
      await expect(gone.probe(sample)).rejects.toThrow(/start \/nowhere\/ffprobe.*install FFmpeg/);
    },
  );

  const others = PICTURE_ONLY;

  it('stops a stitch, and the split that feeds it, when the frames fail half-way, and leaves no half file', async () => {
    const { facts, timetable } = await splitWhole(media, clip);
    const output = out('failed.mp4');
    async function* frames() {
      let count = 0;
      for await (const frame of media.split(clip, { format: 'ppm', facts })) {
        yield frame;
        count += 1;
        if (count === 5) throw new Error('enough');
      }
    }
    const request = { format: 'ppm', source: clip, facts, timetable, others, output, codec: 'h264' } as const;
    await expect(media.stitch({ ...request, frames: frames() })).rejects.toThrow('enough');
    expect([existsSync(output), existsSync(`${output}.part`), runningTools()]).toEqual([false, false, []]);
  });

  it('passes on what goes wrong with the frames, and does not lose a broken one', async () => {
    const { facts, frames: all, timetable } = await splitWhole(media, clip);
    const first = all[0] ?? Buffer.alloc(0);
    const stitch = (frames: AsyncIterable<Buffer>, output = out('bad.mp4')) =>
      media.stitch({ frames, format: 'ppm', source: clip, facts, timetable, others, output, codec: 'h264' });
    async function* failing() {
      yield first;
      throw new Error('the store is gone');
    }
    await expect(stitch(failing())).rejects.toThrow('the store is gone');
    await expect(stitch(framesOf(all.slice(1)))).rejects.toThrow(/got 23 of its 24 frames/);
    await expect(stitch(framesOf([...all, first]))).rejects.toThrow(/got more than its 24 frames/);
    for (const broken of [first.subarray(0, -1), first.subarray(1), Buffer.alloc(first.length)])
      await expect(stitch(framesOf([first, broken, ...all.slice(2)]))).rejects.toMatchObject({ blame: 'user' });
    await expect(stitch(framesOf([]))).rejects.toThrow(/no frame/);
    await expect(stitch(framesOf([first]), out('x.gif'))).rejects.toThrow(/x\.gif .*\.mp4/);
    await expect(stitch(framesOf([first]), path.join(folder, 'no/folder/x.mp4'))).rejects.toThrow(
      /ffmpeg could not write x.mp4: .*No such file/,
    );
    expect([existsSync(out('bad.mp4')), runningTools()]).toEqual([false, []]);
  });
});
