import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Build, builds, roundTrip, some, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'beside-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const picture = (rate = '25') => ['-f', 'lavfi', '-i', `testsrc2=size=64x48:rate=${rate}:duration=1`];
const tone = (pitch = 440) => ['-f', 'lavfi', '-i', `sine=frequency=${pitch}:duration=1`];
const h264 = ['-c:v', 'libx264', '-pix_fmt', 'yuv420p'];

/** What files that are not for H.264 hold. */
const pictures: Record<string, string[]> = {
  '.flv': ['-c:v', 'flv'],
  '.vob': ['-c:v', 'mpeg2video'],
  '.ogg': ['-c:v', 'libtheora'],
};

/** Sound that no common container holds as it is: file, options, where it goes, and what it becomes there. */
const wrapped: [codec: string, file: string, options: string[], ending: string, becomes: string][] = [
  ['adpcm_ima_qt', 'old.mov', ['-c:a', 'adpcm_ima_qt'], 'mkv', 'pcm_s16le'],
  ['s302m', 'broadcast.ts', ['-c:a', 's302m', '-strict', '-2', '-ar', '48000', '-ac', '2'], 'mkv', 'pcm_s16le'],
  ['pcm_dvd', 'dvd.vob', ['-c:a', 'pcm_dvd', '-ar', '48000', '-ac', '2'], 'mov', 'pcm_s16le'],
  ['nellymoser', 'flash.flv', ['-c:a', 'nellymoser', '-ar', '22050', '-ac', '1'], 'mkv', 'pcm_f32le'],
];

/** Sound that stays as it is: codec, from, to. */
const copied = [
  ['mp2', 'vob', 'mp4'],
  ['aac', 'ts', 'mov'],
  ['mp3', 'avi', 'mkv'],
  ['ac3', 'ts', 'mp4'],
  ['flac', 'mkv', 'mp4'],
  ['libvorbis', 'ogg', 'webm'],
  ['pcm_s16be', 'mov', 'mkv'],
] as const;

describe.each(builds)('beside the picture, with ffmpeg from $name,', (build) => {
  const { media } = build;
  const out = (file: string) => path.join(folder, `${path.basename(build.name)}-${file}`);
  const make = (file: string, ...options: string[]) => {
    execFileSync(build.tools.ffmpeg, ['-loglevel', 'error', '-y', ...options, out(file)]);
    return out(file);
  };
  const rehearsed = async (source: string, output: string | undefined) =>
    media.rehearse({ source, facts: await media.probe(source), output, codec: 'h264' });

  async function thereAndBack(source: string, output: string) {
    const { facts, timetable, others, warnings } = await roundTrip(media, source, output, { format: 'jpg' });
    return { warnings, others, ...(await media.compare({ source, facts, timetable, others, output })) };
  }

  it.each(some(wrapped))(
    '%s sound becomes plain PCM with the same samples',
    async (codec, file, options, ending, becomes) => {
      const video = pictures[path.extname(file)] ?? h264;
      const source = make(file, ...picture(), ...tone(), ...video, ...options);
      const output = out(`${file}.${ending}`);
      const { warnings, problems } = await thereAndBack(source, output);
      expect(problems).toEqual([]);
      expect(warnings[0]).toMatch(new RegExp(`track 1 .*PCM \\(${becomes}\\).* ${codec}`));
      expect(samples(build, output, becomes)).toBe(samples(build, source, becomes));
      await expect(rehearsed(source, 'x.mp4')).rejects.toThrow(new RegExp(`x\\.mp4 cannot hold .*${codec}.*\\.mkv`));
      expect((await rehearsed(source, undefined)).ending).toBe('.mkv');
    },
  );

  it('sound that nobody can decode is left out with a warning, and the rest is kept', async () => {
    const two = ['-map', '0', '-map', '1', '-map', '2', ...h264, '-c:a', 'aac'];
    const source = out('unknown.mov');
    writeFileSync(
      source,
      withUnknownCodec(readFileSync(make('two.mov', ...picture(), ...tone(), ...tone(880), ...two))),
    );
    for (const ending of some(['mp4', 'mov', 'mkv'])) {
      const { warnings, problems, sound } = await thereAndBack(source, out(`known.${ending}`));
      expect(problems).toEqual([]);
      expect(warnings).toEqual([expect.stringMatching(/leaves out sound track 2 \(zzzz\)/)]);
      expect(sound).toMatchObject([{ sameData: true }]);
    }
    expect((await rehearsed(source, undefined)).ending).toBe('.mp4');
  });

  it.each(
    some([
      ['AC-3', 'ac3', 'mp4'],
      ['AC-3', 'ac3', 'mov'],
      ['PCM', 'pcm_s16le', 'mov'],
    ]),
  )('%s that starts long after the picture is copied (%s, %s)', async (_, codec, ending) => {
    const slow = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=2:duration=5'];
    const late = ['-itsoffset', '4', ...tone(), '-map', '0', '-map', '1'];
    const source = make(`late-${codec}.mkv`, ...slow, ...late, ...h264, '-c:a', codec, '-ar', '48000');
    const { warnings, problems, others } = await thereAndBack(source, out(`late-${codec}.${ending}`));
    expect(warnings).toEqual([]);
    expect(problems).toEqual([]);
    expect(others.streams).toMatchObject([{ kind: 'sound', to: 'copy' }]);
  });

  it('PCM is compared as one, however the container cuts it', async () => {
    const mxf = ['-c:v', 'mpeg2video', '-c:a', 'pcm_s16le', '-ar', '48000'];
    const source = make('camera.mxf', ...picture(), ...tone(), ...mxf);
    const { problems, sound } = await thereAndBack(source, out('camera.mov'));
    expect(problems).toEqual([]);
    expect(sound[0]?.found).not.toBe(sound[0]?.expected);
    // One byte of sound is wrong.
    const spoiled = readFileSync(source);
    const raw = ['-v', 'error', '-i', source, '-map', '0:a', '-c', 'copy', '-f', 'data', 'pipe:1'];
    const at = spoiled.indexOf(execFileSync(build.tools.ffmpeg, raw).subarray(9600, 9700));
    spoiled.writeUInt8(spoiled.readUInt8(at) ^ 1, at);
    writeFileSync(out('spoiled.mxf'), spoiled);
    const { facts, timetable } = await splitWhole(media, source);
    const { others } = await rehearsed(source, out('camera.mov'));
    const again = { source: out('spoiled.mxf'), facts, timetable, others, output: out('camera.mov') };
    expect((await media.compare(again)).sound).toMatchObject([{ sameData: false }]);
  });

  it.each(some(copied, 2))('%s of .%s goes into .%s unchanged', async (codec, from, to) => {
    const video = pictures[`.${from}`] ?? [...h264, '-bf', '2'];
    const source = make(
      `${codec}.${from}`,
      ...picture(),
      ...tone(),
      ...video,
      '-c:a',
      codec,
      '-ac',
      '2',
      '-strict',
      '-2',
    );
    const output = out(`${codec}.${from}.${to}`);
    const { facts, timetable, others, warnings } = await roundTrip(media, source, output, {
      format: 'jpg',
      codec: to === 'webm' ? 'vp9' : 'h264',
    });
    const { problems } = await media.compare({ source, facts, timetable, others, output });
    expect([problems, others.streams.map((stream) => stream.to)]).toEqual([[], ['copy']]);
    expect(warnings.filter((warning) => /sound/i.test(warning))).toEqual([]);
  });

  it('the cover picture stays, and a container that holds none says so', async () => {
    const cover = make('cover.jpg', '-f', 'lavfi', '-i', 'testsrc2=size=32x32', '-frames:v', '1');
    const clip = make('plain.mp4', ...picture(), ...tone(), ...h264);
    const maps = ['-i', clip, '-i', cover, '-map', '0', '-map', '1', '-c', 'copy', '-disposition:v:1', 'attached_pic'];
    const source = make('cover.mp4', ...maps);
    for (const ending of some(['mp4', 'mkv'])) {
      const output = out(`cover.mp4.${ending}`);
      const { warnings, problems } = await thereAndBack(source, output);
      expect([warnings, problems]).toEqual([[], []]);
      const copy = make(`again-${ending}.jpg`, '-i', output, '-map', '0:v:1', '-c', 'copy', '-f', 'image2');
      expect(readFileSync(copy).equals(readFileSync(cover))).toBe(true);
    }
    expect((await rehearsed(source, 'x.mov')).warnings).toEqual([expect.stringMatching(/1 cover picture \(mjpeg\)/)]);
  });

  it('tags of a phone stay in MOV and MP4; tags without a place there are named in a warning', async () => {
    const place = 'com.apple.quicktime.location.ISO6709';
    const tags = ['-metadata', `${place}=+48.8577+002.295/`, '-metadata', 'creation_time=2025-07-04T10:11:12Z'];
    const phone = make('phone.mov', ...picture(), ...h264, '-movflags', 'use_metadata_tags', ...tags);
    for (const ending of some(['mov', 'mp4', 'mkv'])) {
      const output = out(`phone.${ending}`);
      expect((await thereAndBack(phone, output)).warnings).toEqual([]);
      expect(tagsOf(build, output)).toMatchObject({ [place.toLowerCase()]: '+48.8577+002.295/' });
      expect(tagsOf(build, output).creation_time).toMatch(/^2025-07-04T10:11:12/);
    }
    const named = make('named.mkv', ...picture(), ...h264, '-metadata', 'title=Coast', '-metadata', 'DIRECTOR=Ann');
    expect((await thereAndBack(named, out('named.mp4'))).warnings).toEqual([
      expect.stringMatching(/1 tag \(director\)/),
    ]);
    expect(tagsOf(build, out('named.mp4'))).toMatchObject({ title: 'Coast' });
  });

  it('a time code that the output cannot hold is left out with a warning', async () => {
    const source = make('drop.mkv', ...picture(), ...h264, '-metadata', 'timecode=01:00:00;02');
    const { warnings, problems } = await thereAndBack(source, out('drop.mov'));
    expect([warnings, problems]).toEqual([[expect.stringMatching(/time code/)], []]);
  });
});

/** The hash of the decoded samples of the first sound track. */
function samples({ tools }: Build, file: string, codec: string): string {
  const decode = ['-v', 'error', '-i', file, '-map', '0:a:0', '-c:a', codec, '-f', 'data', 'pipe:1'];
  const bytes = execFileSync(tools.ffmpeg, decode, { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  expect(bytes.length).toBeGreaterThan(20_000);
  return createHash('md5').update(bytes).digest('hex');
}

/** Gives the last sound track of a film the name of a codec that nobody knows. */
function withUnknownCodec(film: Buffer): Buffer {
  const at = film.lastIndexOf('stsd');
  for (const name of ['mp4a', 'esds'])
    for (let found = film.indexOf(name, at); found >= 0; found = film.indexOf(name, at)) film.write('zzzz', found);
  return film;
}

function tagsOf({ tools }: Build, file: string): Record<string, string> {
  const what = ['-v', 'quiet', '-show_entries', 'format_tags', '-of', 'json', file];
  const { format } = JSON.parse(execFileSync(tools.ffprobe, what, { encoding: 'utf8' })) as {
    format: { tags?: Record<string, string> };
  };
  return Object.fromEntries(Object.entries(format.tags ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}
