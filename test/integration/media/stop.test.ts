import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { confinement, createMedia } from '../../../src/media/media.js';
import { builds, collect, runningTools, sample } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const searchPath = process.env.PATH ?? '';

describe.each(builds)('nothing is left running by ffmpeg from $name', ({ media, name, tools }) => {
  const out = (file: string) => path.join(folder, `${path.basename(name)}-${file}`);

  it('kills ffmpeg when the consumer stops early, and holds it back while the consumer is busy', async () => {
    const frames = media.split(sample, { format: 'png' });
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
      const frames = createMedia(tools, { confinement: words }).split(sample, { format: 'png' });
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
      await expect(gone.probe(sample)).rejects.toThrow('Cannot start /nowhere/ffprobe; install FFmpeg');
    },
  );

  it('stops split and stitch on an abort, leaving no process and no half file', async () => {
    const stop = new AbortController();
    const facts = await media.probe(sample);
    const output = out('aborted.mp4');
    async function* frames() {
      let count = 0;
      for await (const frame of media.split(sample, { format: 'png', facts })) {
        yield frame;
        count += 1;
        if (count === 5) stop.abort(new Error('enough'));
      }
    }
    const done = media.stitch({ frames: frames(), format: 'png', source: sample, facts, output, signal: stop.signal });
    await expect(done).rejects.toThrow('enough');
    await expect(collect(media.split(sample, { format: 'png', facts, signal: stop.signal }))).rejects.toThrow('enough');
    expect([existsSync(output), existsSync(`${output}.part`)]).toEqual([false, false]);
    await expect.poll(runningTools).toEqual([]);
  });

  it('passes on what goes wrong with the frames, and does not lose a broken one', async () => {
    const facts = await media.probe(sample);
    const [first = Buffer.alloc(0)] = await collect(media.split(sample, { format: 'png', facts }));
    const stitch = (frames: AsyncIterable<Buffer>, output = out('bad.mp4')) =>
      media.stitch({ frames, format: 'png', source: sample, facts, output });
    async function* failing() {
      yield first;
      throw new Error('the store is gone');
    }
    await expect(stitch(failing())).rejects.toThrow('the store is gone');
    const broken = Buffer.from(first);
    broken.fill(7, 200, 5000);
    await expect(stitch(list([first, broken, first]))).rejects.toMatchObject({ blame: 'user' });
    await expect(stitch(list([]))).rejects.toThrow('There is no frame');
    await expect(stitch(list([first]), out('x.gif'))).rejects.toThrow('must end in .mp4');
    await expect(stitch(list([first]), path.join(folder, 'no/folder/x.mp4'))).rejects.toThrow(
      /ffmpeg could not write x.mp4: .*No such file/,
    );
    expect([existsSync(out('bad.mp4')), runningTools()]).toEqual([false, []]);
  });
});

async function* list(frames: Buffer[]) {
  yield* frames;
}
