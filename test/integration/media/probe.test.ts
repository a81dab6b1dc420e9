import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { builds, sample } from '../../support/media.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'probe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, content: string | Buffer) => {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
};

describe.each(builds)('probe with ffmpeg from $name', ({ media, tools }) => {
  it('gives the facts of the sample in under 1 KB', async () => {
    const facts = await media.probe(sample);
    expect(facts).toMatchObject({
      width: 480,
      height: 270,
      frameRate: { num: 24, den: 1 },
      variableRate: false,
      framesEstimate: 168,
    });
    expect(facts).toMatchObject({
      durationSeconds: 7,
      startTime: 0,
      audioStreams: 1,
      codec: 'h264',
      pixelFormat: 'yuv420p',
      warnings: [],
    });
    expect(JSON.stringify(facts).length).toBeLessThan(1024);
  });

  it.skipIf(!hasSharedData).each([
    [
      'realshort.mp4',
      { width: 320, height: 240, frameRate: { num: 45000, den: 1499 }, framesEstimate: 36, variableRate: false },
    ],
    [
      'derived/bbb_ntsc2997_h264_aac.mp4',
      { frameRate: { num: 30000, den: 1001 }, framesEstimate: 62, variableRate: false },
    ],
    ['tc_var_fps_video.mp4', { frameRate: { num: 1125, den: 56 }, framesEstimate: 300, variableRate: true }],
    ['tc_nasa_13013.mp4', { streamIndex: 0, width: 320, height: 180, framesEstimate: 325, audioStreams: 2 }],
    ['mb_rotate-buck-bunny.mp4', { width: 1080, height: 1920, framesEstimate: 45, startTime: 0.083333 }],
    ['mb_edts.mp4', { framesEstimate: 225, durationSeconds: 9, sampleAspect: { num: 1280, den: 1281 } }],
    ['derived/bbb_odd_321x181_vp9_opus.webm', { width: 321, height: 181, framesEstimate: 61, startTime: 0.014 }],
    ['derived/single_frame.mp4', { framesEstimate: 1, variableRate: false }],
  ])('tells the facts of %s', async (name, expected) => {
    expect(await media.probe(sharedData('videos', name))).toMatchObject(expected);
  });

  it.skipIf(!hasSharedData).each([
    ['audio-only.mp4', /^audio-only.mp4 holds only sound; /],
    ['empty.mp4', /^empty.mp4 is empty \(0 bytes\); /],
    ['random-bytes.mp4', /^random-bytes.mp4 is not a video that can be read/],
    ['text.mp4', /^text.mp4 is not a video that can be read/],
    ['truncated-moov-missing.mp4', /lacks its index \(the moov box\): it was cut off/],
    ['truncated.webm', /is cut off: it ends before its last frame; /],
  ])('says what is wrong with %s', async (name, sentence) => {
    await expect(media.probe(sharedData('bad', name))).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(sentence),
    });
  });

  it.each([
    ['empty.mp4', '', /^the clip is empty \(0 bytes\); /],
    ['text.mp4', 'this is not a video\n', /^the clip is not a video that can be read/],
    ['noise', Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i * 31) % 251)), /^the clip is not a video/],
    ['cut.mp4', readFileSync(sample).subarray(0, 200_000), /^the clip is cut off: /],
    ['dance.mp4', 'GIF89a\x01\0\x01\0\0\0\0;', /^the clip is a picture or an animation of pictures, not a video; /],
    ['list.mp4', "ffconcat version 1.0\nfile 'secret.mp4'\n", /^the clip is not a video file but a playlist/],
    [
      'hls.mp4',
      '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n',
      /^the clip is not a video/,
    ],
  ])('says what is wrong with %s', async (file, content, sentence) => {
    writeFileSync(path.join(folder, 'secret.mp4'), readFileSync(sample));
    await expect(media.probe(write(file, content), { name: 'the clip' })).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(sentence),
    });
  });

  it.each([
    [
      'raw.h264',
      ['-pix_fmt', 'yuv420p', '-c:v', 'libx264'],
      /^raw\.h264 is a raw H\.264 stream.*frame rate.*video\.mp4/,
    ],
    ['tape.dv', ['-s', '720x576', '-r', '25', '-pix_fmt', 'yuv420p'], /^tape\.dv is a DV stream.*-c copy video\.mkv/],
    ['camera.mjpeg', ['-pix_fmt', 'yuvj420p'], /^camera\.mjpeg is a raw Motion JPEG stream/],
    [
      'lost.ts',
      ['-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-bsf:v', 'filter_units=remove_types=7|8'],
      /^lost\.ts does not say how large its pictures are/,
    ],
    ['plain.y4m', ['-pix_fmt', 'yuv420p'], /^plain\.y4m is an uncompressed YUV4MPEG stream/],
  ])('says what %s is and what to do with it', async (name, options, sentence) => {
    const file = path.join(folder, name);
    const input = ['-f', 'lavfi', '-i', 'testsrc2=size=96x64:duration=0.2', ...options];
    execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-y', ...input, file]);
    const refusal = { blame: 'user', message: expect.stringMatching(sentence) };
    await expect(media.probe(file)).rejects.toMatchObject(refusal);
  });

  it('refuses pictures and streams beyond what is meant', async () => {
    const make = (file: string, ...options: string[]) => {
      execFileSync(tools.ffmpeg, [
        '-loglevel',
        'error',
        '-y',
        '-f',
        'lavfi',
        '-i',
        ...options,
        path.join(folder, file),
      ]);
      return path.join(folder, file);
    };
    const huge = make('huge.mkv', 'color=size=8208x8192:duration=0.04', '-c:v', 'png', '-pix_fmt', 'gray');
    await expect(media.probe(huge)).rejects.toThrow(/huge\.mkv .*8208 × 8192 pixels.* 67108864/);
    const maps = Array.from({ length: 65 }, () => ['-map', '0']).flat();
    const many = make('many.mkv', 'color=size=16x16:duration=0.04', ...maps, '-c:v', 'png');
    await expect(media.probe(many)).rejects.toThrow(/many\.mkv .*65 streams.* 64/);
  });

  it.each([
    ['size', ['-s', '64x48'], /change their size.*\(96 × 64, 64 × 48\).*scaled to 96 × 64/],
    ['kind of pixels', ['-pix_fmt', 'yuv444p'], /kind of the pixels.*\(yuv420p, yuv444p\)/],
    ['matrix', ['-colorspace', 'bt709'], /colour tags.*\(tv, tv bt709\)|colour tags.*bt470bg.*bt709/],
  ])('says once when the %s changes in mid-stream, and cuts no chunks', async (name, change, sentence) => {
    const base = ['-color_range', 'tv', '-colorspace', 'bt470bg', '-pix_fmt', 'yuv420p'];
    const parts = [[], change].map((options, index) => {
      const part = path.join(folder, `${name}-${index}.ts`);
      const input = ['-f', 'lavfi', '-i', 'testsrc2=size=96x64:duration=0.4'];
      const encode = ['-c:v', 'libx264', ...base, ...options, part];
      execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-y', ...input, ...encode]);
      return `file '${part}'\n`;
    });
    const [list, file] = [write(`${name}.txt`, parts.join('')), path.join(folder, `${name}.mkv`)];
    const concat = ['-f', 'concat', '-safe', '0', '-i', list, '-c', 'copy', file];
    execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-y', ...concat]);
    const facts = await media.probe(file);
    expect(facts).toMatchObject({ framesEstimate: 20, warnings: [expect.stringMatching(sentence)] });
    expect(await media.findChunks(file, facts, 10)).toEqual([]);
  });

  it('says so when there is no file, and takes a name like a protocol for a name', async () => {
    await expect(media.probe(path.join(folder, 'none.mp4'))).rejects.toThrow(/none\.mp4 .*no such file/);
    const odd = write('http:%d -i.mp4', readFileSync(sample));
    expect((await media.probe(odd)).framesEstimate).toBe(168);
  });
});
