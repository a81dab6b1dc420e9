import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { toRgb, toYuv } from '../../../src/media/colour.js';
import { type Build, builds, compareRgb, decodeRgb, rgbOf, roundTrip, some, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'picture-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const moving = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=0.4'];
const smooth = ['-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25:duration=0.4', '-vf', 'gblur=sigma=4'];
const groups = ['-f', 'lavfi', '-i', 'testsrc2=size=160x128:duration=0.04'];
const SUBSAMPLED =
  'yuv420p yuvj420p yuv410p yuv420p10 yuv422p yuv440p yuv411p yuva420p nv12 yuyv422 yuv420p9 yuv420p12 yuv420p16 yuv422p10 yuva422p10'.split(
    ' ',
  );
const tagged = (matrix: string, range: string) =>
  `scale=out_color_matrix=${matrix}:out_range=${range}:flags=bicubic+accurate_rnd+full_chroma_int`;

function make({ tools }: Build, file: string, ...options: string[]): string {
  execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-y', ...options, file]);
  return file;
}

async function bestRoundTrip({ media }: Build, source: string, output: string) {
  const { facts, frames } = await roundTrip(media, source, output, { quality: 'best' });
  return { facts, frames, after: await media.probe(output) };
}

/** PSNR in dB of the worst plane, as 4:2:0 of 8 bits, between a video and what becomes of it on the way to RGB and back. */
async function groupPsnr({ media, tools }: Build, source: string): Promise<number> {
  const facts = await media.probe(source);
  const range = facts.pixelFormat.startsWith('yuvj') ? 'pc' : 'tv';
  // Between 4:1:0 or 4:1:1 and 4:2:0, swscale interpolates unless it is told to repeat.
  const reference = `scale=flags=neighbor:in_range=${range}:out_range=${range},format=${facts.alpha ? 'yuva' : 'yuv'}444p16,scale=flags=area+accurate_rnd:in_range=${range}:out_range=${range},format=yuv420p,setsar=1`;
  const graph = `[0]split[a][b];[a]${toRgb(facts, 'png')},${toYuv(facts)},setsar=1[x];[b]${reference}[y];[x][y]psnr=stats_file=-`;
  const stats = execFileSync(tools.ffmpeg, ['-loglevel', 'error', '-i', source, '-lavfi', graph, '-f', 'null', '-'], {
    encoding: 'utf8',
  });
  const planes = [...stats.matchAll(/psnr_[yuv]:(\S+)/g)].map(([, text = '']) => (text === 'inf' ? 99 : Number(text)));
  return Math.min(...planes);
}

describe.each(builds)('pictures through ffmpeg from $name', (build) => {
  const out = (file: string) => path.join(folder, `${path.basename(build.name)}-${file}`);

  it.each(
    some(
      [
        ['BT.709 in full range', 'bt709', 'pc', 'yuv420p', ['-colorspace', 'bt709', '-color_range', 'pc']],
        [
          'BT.2020 in 10 bits',
          'bt2020',
          'tv',
          'yuv420p10le',
          ['-colorspace', 'bt2020nc', '-color_primaries', 'bt2020'],
        ],
        ['BT.601 in 8 bits', 'bt601', 'tv', 'yuv420p', ['-colorspace', 'smpte170m']],
        [
          'BT.709 in 8 bits',
          'bt709',
          'tv',
          'yuv420p',
          ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'],
        ],
        ['BT.709 in 4:4:4', 'bt709', 'tv', 'yuv444p', ['-colorspace', 'bt709']],
      ],
      2,
    ),
  )('keep their colours in %s', async (name, matrix, range, pixels, tags) => {
    const file = `${name.replaceAll(/\W/g, '')}.mkv`;
    const [, , , input = '', ...filter] = smooth;
    const graph = `${filter[1] ?? ''},${tagged(matrix, range)},format=${pixels}`;
    const source = make(build, out(file), '-f', 'lavfi', '-i', input, '-vf', graph, '-c:v', 'ffv1', ...tags);
    const { facts } = await bestRoundTrip(build, source, out(`${file}.mp4`));
    expect(facts.colour.matrix).toBe(tags[1]);
    // As players show them: colour between the pixels that have one is interpolated.
    const player = `scale=in_color_matrix=${matrix}:in_range=${range}:flags=bicubic+accurate_rnd+full_chroma_int`;
    const { psnr, shift } = compareRgb(decodeRgb(build, source, player), decodeRgb(build, out(`${file}.mp4`), player));
    expect(psnr).toBeGreaterThan(40);
    for (const channel of shift) expect(Math.abs(channel)).toBeLessThan(1);
  });

  it.each(
    some([
      ['without any tag', 'h264', '.mp4', []],
      ['of a Mac screen (Display P3, sRGB)', 'h264', '.mov', [1, 12, 13]],
      ['without any tag, in H.265', 'h265', '.mp4', []],
      ['without any tag, in VP9', 'vp9', '.webm', []],
      ['of NTSC of 1953', 'h264', '.mp4', [4, 4, 4]],
      ['of PAL with its own curve', 'h264', '.mkv', [5, 5, 5]],
      ['of a wide-gamut camera (xvYCC)', 'h265', '.mp4', [1, 1, 11]],
      ['of a cinema master (DCI-P3)', 'vp9', '.mkv', [9, 11, 14]],
      ['of YCgCo', 'h264', '.mp4', [8, 1, 1]],
    ] as const),
  )('keep the colour tags of a video %s', async (_, codec, ending, [matrix, primaries, transfer]) => {
    const tag = (option: string, value?: number) => (value === undefined ? [] : [option, String(value)]);
    const tags = [...tag('-colorspace', matrix), ...tag('-color_primaries', primaries), ...tag('-color_trc', transfer)];
    const name = `tags-${codec}-${String(matrix)}-${String(transfer)}`;
    const encode = ['-pix_fmt', 'yuv420p', '-c:v', 'libx264', ...tags];
    const source = make(build, out(`${name}.mp4`), ...groups, ...encode);
    const output = out(`${name}-again${ending}`);
    const { facts } = await roundTrip(build.media, source, output, { codec });
    const { range: _range, ...said } = facts.colour;
    if (matrix !== undefined) expect(Object.values(said)).not.toContain(null);
    expect((await build.media.probe(output)).colour).toMatchObject(said);
  });

  it('keep the primaries and the transfer where they stay RGB (ffv1)', async () => {
    const tags = ['-colorspace', 'bt2020nc', '-color_primaries', 'bt2020', '-color_trc', 'bt2020-10'];
    const source = make(build, out('wide.mkv'), ...groups, '-pix_fmt', 'yuv420p10', '-c:v', 'ffv1', ...tags);
    await roundTrip(build.media, source, out('wide-again.mkv'), { codec: 'ffv1' });
    const { colour } = await build.media.probe(out('wide-again.mkv'));
    expect(colour).toMatchObject({ primaries: 'bt2020', transfer: 'bt2020-10' });
  });

  it('that were RGB say by which matrix they became 4:2:0', async () => {
    const source = make(build, out('rgb.mkv'), ...groups, '-pix_fmt', 'bgr0', '-c:v', 'ffv1');
    await roundTrip(build.media, source, out('rgb.mp4'));
    expect((await build.media.probe(out('rgb.mp4'))).colour.matrix).toBe('bt470bg');
  });

  it('come back as they were where 4:2:0 has hard edges between strong colours', async () => {
    const source = make(build, out('edges.mp4'), ...moving, '-c:v', 'libx264', '-crf', '12', '-pix_fmt', 'yuv420p');
    await bestRoundTrip(build, source, out('edges-again.mp4'));
    const { psnr, shift } = compareRgb(decodeRgb(build, source), decodeRgb(build, out('edges-again.mp4')));
    expect(psnr).toBeGreaterThan(40);
    for (const channel of shift) expect(Math.abs(channel)).toBeLessThan(0.5);
  });

  it.each(some(SUBSAMPLED, 4))('give each pixel group of %s the colour that it had', async (pixels) => {
    const paint = `hue=s=0.5,lutyuv=y=64+val/2,scale=flags=area+accurate_rnd,format=${pixels}`;
    const source = make(build, out(`${pixels}.nut`), ...groups, '-vf', paint, '-c:v', 'rawvideo');
    expect(await groupPsnr(build, source)).toBeGreaterThan(48);
  });

  it.each(some(['smpte240m', 'bt2020nc']))('give each pixel group its colour with the matrix %s', async (matrix) => {
    const paint = 'hue=s=0.5,lutyuv=y=64+val/2,scale=flags=area+accurate_rnd,format=yuv420p10';
    const tag = ['-colorspace', matrix, '-c:v', 'ffv1'];
    const source = make(build, out(`${matrix}.mkv`), ...groups, '-vf', paint, ...tag);
    expect(await groupPsnr(build, source)).toBeGreaterThan(48);
  });

  it('keep grey from black to white', async () => {
    const ramp = ['-f', 'lavfi', '-i', 'nullsrc=size=256x16:duration=0.04', '-vf', 'format=gray10,geq=lum=4*X'];
    const source = make(build, out('grey.mkv'), ...ramp, '-c:v', 'ffv1');
    const { frames } = await bestRoundTrip(build, source, out('grey.mp4'));
    const pixels = rgbOf(frames[0]);
    expect([...pixels.subarray(0, 768)].filter((_, index) => index % 3 === 0)).toEqual(
      Array.from({ length: 256 }, (_, value) => value),
    );
  });

  it.each(some([90, 180, 270]))('stand upright, once, when the file asks to turn them by %i°', async (degrees) => {
    const flat = make(build, out('flat.mp4'), ...moving, '-c:v', 'libx264', '-crf', '10', '-pix_fmt', 'yuv420p');
    const turn = ['-i', flat, '-c', 'copy', '-metadata:s:v:0', `rotate=${degrees}`];
    const source = make(build, out(`turned-${degrees}.mp4`), ...turn);
    const { facts, after } = await bestRoundTrip(build, source, out(`upright-${degrees}.mp4`));
    const size = degrees === 180 ? { width: 320, height: 240 } : { width: 240, height: 320 };
    expect([facts, after]).toMatchObject([size, size]);
    const [before, shown] = [decodeRgb(build, source), decodeRgb(build, out(`upright-${degrees}.mp4`))];
    expect(before.equals(decodeRgb(build, flat))).toBe(false);
    expect(compareRgb(before, shown).psnr).toBeGreaterThan(40);
  });

  it.each(
    some(
      [
        ['bff', 'dvvideo', 'dv.avi', '720x576', 'yuv420p'],
        ['tff', 'mpeg2video', 'mpeg2.mpg', '320x240', 'yuv420p'],
        ['tff', 'libx264', 'mbaff.mp4', '320x240', 'yuv420p'],
        ['bff', 'mpeg4', 'asp.mp4', '320x240', 'yuv420p'],
        ['bff', 'prores_ks', 'prores.mov', '320x240', 'yuv422p10'],
        ['bff', 'ffvhuff', 'header.mkv', '320x240', 'yuv422p'],
      ],
      3,
    ),
  )('of interlaced video (%s, %s) are deinterlaced, and a warning says so', async (...kind) => {
    const [first, codec, name, size, pixels] = kind;
    const fields = first === 'tff' ? 'interleave_top' : 'interleave_bottom';
    const weave = `tinterlace=${fields},setfield=${first},format=${pixels}`;
    const input = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=50:duration=0.16`];
    // FFVHuff cannot say it itself: the header of the file does.
    const header = ['-field_order', first === 'tff' ? 'tt' : 'bb'];
    const encode = ['-flags', '+ilme+ildct', '-c:v', codec, '-q:v', '2', '-crf', '4', ...header];
    const source = make(build, out(name), ...input, '-vf', weave, ...encode);
    const { facts, frames } = await splitWhole(build.media, source);
    expect(facts).toMatchObject({ interlaced: true, framesEstimate: frames.length });
    expect(facts.warnings).toEqual([expect.stringMatching(/interlaced.*deinterlaced/)]);
    const third = rgbOf(frames[2]);
    const like = (filter: string) =>
      compareRgb(decodeRgb(build, source, filter).subarray(2 * third.length, 3 * third.length), third).psnr;
    const right = like(`yadif=parity=${first}:deint=all`);
    const wrong = like(`yadif=parity=${first === 'tff' ? 'bff' : 'tff'}:deint=all`);
    expect(right).toBeGreaterThan(Math.max(wrong, like('null')) + 2);
  });

  it.each(some(['smpte2084', 'arib-std-b67']))(
    'in HDR (%s) are tone-mapped to BT.709, and a warning says so',
    async (transfer) => {
      const hdr = `log-level=none:colorprim=bt2020:transfer=${transfer}:colormatrix=bt2020nc`;
      const encode = ['-c:v', 'libx265', '-pix_fmt', 'yuv420p10le', '-x265-params', hdr];
      const source = make(build, out(`${transfer}.mp4`), ...moving, ...encode);
      const { facts, frames, after } = await bestRoundTrip(build, source, out(`${transfer}-sdr.mp4`));
      expect(facts.warnings).toEqual([expect.stringMatching(/HDR.*tone-mapped.*BT\.709/)]);
      expect(after).toMatchObject({ hdr: null, colour: { matrix: 'bt709', primaries: 'bt709', transfer: 'bt709' } });
      const plain = decodeRgb(build, source).subarray(0, 320 * 240 * 3);
      expect(compareRgb(plain, rgbOf(frames[0])).psnr).toBeLessThan(30);
    },
  );

  it.each(
    some([
      ['libvpx-vp9', 'clear-9.webm'],
      ['libvpx', 'clear-8.webm'],
    ] as const),
  )(
    'with the transparency of %s, which FFmpeg decodes only if told to, are flattened on black',
    async (codec, name) => {
      const half = "geq=lum=235:cb=128:cr=128:a='if(lt(X,32),0,255)'";
      const clear = ['-f', 'lavfi', '-i', `color=size=64x48:duration=0.2,format=yuva420p,${half}`];
      const source = make(build, out(name), ...clear, '-c:v', codec, '-auto-alt-ref', '0', '-crf', '4', '-b:v', '1M');
      const { facts, frames } = await bestRoundTrip(build, source, out(`${name}.mp4`));
      expect(facts.warnings).toEqual([expect.stringMatching(/transparency.*black/)]);
      expect(frames.length).toBe(5);
      const row = rgbOf(frames[2]);
      expect([row[3 * 8], row[3 * 56]].map((value = NaN) => Math.round(value / 16))).toEqual([0, 16]);
    },
  );

  it('with transparency are flattened on black, and a warning says so', async () => {
    const clear = ['-f', 'lavfi', '-i', 'color=c=red@0.5:size=64x48:duration=0.2,format=rgba'];
    const source = make(build, out('clear.mov'), ...clear, '-c:v', 'qtrle');
    const { facts, frames } = await bestRoundTrip(build, source, out('flat.mp4'));
    expect(facts.warnings).toEqual([expect.stringMatching(/transparency.*black/)]);
    const pixels = rgbOf(frames[0]);
    expect([...pixels.subarray(0, 3)].map((value) => Math.round(value / 4))).toEqual([32, 0, 0]);
  });
});
