import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeClip } from '../../support/clip.js';
import { builds, collect, framesOf, PICTURE_ONLY, some, splitWhole } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'crafted-'));
const canary = path.join(folder, 'canary.mp4');
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  response.end(readFileSync(canary));
});
let url = '';
const LONG_AGO = new Date('2001-01-01');

beforeAll(async () => {
  makeClip(canary, { seconds: 1 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/canary.mp4`;
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Whether anybody has read the canary since `arm`: a read moves the access time, with relatime too, when that is in the past. */
const arm = () => utimesSync(canary, LONG_AGO, new Date());
const readSince = () => statSync(canary).atimeMs !== LONG_AGO.getTime();

const hls = (address: string) => `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${address}\n#EXT-X-ENDLIST\n`;
const dash = (address: string) =>
  '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period>' +
  `<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>${address}</BaseURL></Representation>` +
  '</AdaptationSet></Period></MPD>';

const texts: [name: string, text: (address: string) => string][] = [
  ['an HLS playlist', hls],
  ['an ffconcat script', (address) => `ffconcat version 1.0\nfile '${address}'\n`],
  ['a concat address', (address) => `concat:${address}|${address}`],
  ['a DASH manifest', dash],
  ['an SDP session', () => 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n'],
  ['an M3U list', (address) => `#EXTM3U\n${address}\n`],
  ['a RealText subtitle', (address) => `<window duration="1"><img src="${address}"/></window>`],
  ['a VobSub index', (address) => `# VobSub index file, v7\nid: en, index: 0\nfile: ${address}\n`],
  [
    'a playlist in a data address',
    (address) => `data:application/vnd.apple.mpegurl,${encodeURIComponent(hls(address))}`,
  ],
];

describe.each(builds)('a file from outside makes ffprobe and ffmpeg from $name read nothing else:', (build) => {
  const { media, tools } = build;
  const own = path.join(folder, path.basename(path.dirname(tools.ffmpeg)));
  mkdirSync(own, { recursive: true });

  const targets = [
    ['the network', () => url],
    ['a file', () => canary],
    ['a file address', () => `file:${canary}`],
  ] as const;
  const endings = ['.mp4', '.m3u8'];

  it.each(texts)('%s', async (_, text) => {
    for (const [, address] of some(targets, 2))
      for (const ending of endings) {
        const file = path.join(own, `crafted${ending}`);
        writeFileSync(file, text(address()));
        arm();
        await expect(media.probe(file)).rejects.toMatchObject({ blame: 'user' });
        expect([readSince(), asked]).toEqual([false, []]);
      }
  });

  it('a QuickTime film whose pictures lie in another file', async () => {
    const file = path.join(own, 'reference.mov');
    const film = path.join(own, 'film.mov');
    writeFileSync(file, withReference(makeFilm(tools.ffmpeg, film), canary));
    arm();
    // So that a film that points nowhere proves nothing.
    execFileSync(tools.ffprobe, ['-v', 'quiet', '-enable_drefs', '1', '-use_absolute_path', '1', file]);
    expect(readSince()).toBe(true);
    arm();
    await expect(media.probe(file)).rejects.toMatchObject({ blame: 'user' });
    const facts = await media.probe(film);
    const split = media.split(file, { format: 'ppm', facts });
    await expect(collect(split)).rejects.toMatchObject({ blame: 'user' });
    expect([readSince(), asked]).toEqual([false, []]);
    const { frames, timetable } = await splitWhole(media, canary);
    arm();
    const request = { format: 'ppm', source: file, facts, timetable, codec: 'h264' } as const;
    const output = path.join(own, 'painted.mp4');
    await media.stitch({ ...request, frames: framesOf(frames), others: PICTURE_ONLY, output }).catch(() => undefined);
    expect([readSince(), asked]).toEqual([false, []]);
  });
});

function makeFilm(ffmpeg: string, file: string): Buffer {
  const picture = '-f lavfi -i testsrc2=size=160x120:rate=12:duration=1 -c:v libx264 -pix_fmt yuv420p'.split(' ');
  execFileSync(ffmpeg, ['-loglevel', 'error', '-y', ...picture, file]);
  return readFileSync(file);
}

/**
 * Makes a data reference of a film name another file: an alias with a volume, a folder and absolute path, as QuickTime writes it.
 * The index lies at the end of the file, so that nothing else moves when it grows.
 */
function withReference(film: Buffer, target: string): Buffer {
  const name = (text: string, size: number) => {
    const field = Buffer.alloc(size);
    field.writeUInt8(Math.min(text.length, size - 1));
    field.write(text.slice(0, size - 1), 1, 'latin1');
    return field;
  };
  const header = Buffer.concat([
    Buffer.alloc(10),
    name('disk', 28),
    Buffer.alloc(12),
    name(path.basename(target), 64),
    Buffer.alloc(16),
    Buffer.from([0, 0, 0, 0]),
    Buffer.alloc(16),
  ]);
  const entry = (type: number, text: string) => {
    const even = Buffer.alloc(4 + text.length + (text.length % 2));
    even.writeInt16BE(type, 0);
    even.writeUInt16BE(text.length, 2);
    even.write(text, 4, 'latin1');
    return even;
  };
  const body = Buffer.concat([header, entry(2, target), entry(18, target), Buffer.from([0xff, 0xff, 0, 0])]);
  const alias = Buffer.concat([Buffer.alloc(4), Buffer.from('alis'), Buffer.from([0, 0, 0, 0]), body]);
  alias.writeUInt32BE(alias.length, 0);
  return replaceReference(film, alias);
}

const PARENTS = ['moov', 'trak', 'mdia', 'minf', 'dinf', 'dref'];

/** Puts a box in the place of the data reference of the first track, and corrects the lengths of the boxes around it. */
function replaceReference(film: Buffer, alias: Buffer): Buffer {
  let [from, end] = [0, film.length];
  const lengths: number[] = [];
  for (const type of PARENTS) {
    let at = from;
    while (at < end && film.toString('latin1', at + 4, at + 8) !== type) at += film.readUInt32BE(at);
    lengths.push(at);
    end = at + film.readUInt32BE(at);
    from = at + 8 + (type === 'dref' ? 8 : 0);
  }
  const old = film.readUInt32BE(from);
  const result = Buffer.concat([film.subarray(0, from), alias, film.subarray(from + old)]);
  for (const at of lengths) result.writeUInt32BE(film.readUInt32BE(at) + alias.length - old, at);
  return result;
}
