/**
 * What a frame costs in each form in which it could be stored: CPU milliseconds of everybody who touches it on its way from ffmpeg through
 * storage and the scorer back to ffmpeg, and its size. Prints one Markdown table for each size. Run it with `npm run bench:frames`; sizes
 * and numbers of frames such as `640x360:40` may follow. lz4-napi and snappy are tried where they are installed, zstd where Node has it.
 */
import { randomBytes } from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp, { type Sharp } from 'sharp';
import { startAzurite } from '../dist/stack/azurite.js';
import { findFfmpeg } from '../src/media/media.js';
import { cutFrames } from '../src/media/split/frame-cutter.js';
import { matroska } from '../src/media/stitch/matroska.js';
import { readWhole } from '../src/container-contract/storage-access.js';
import { createSharpCodec } from '../src/scorer/pictures/sharp-codec.js';
import { openAzurite } from '../test/support/storage.js';
import { hasSharedData, sharedData } from '../test/support/shared-data.js';

const ROUNDS = 5;
const PACK_BYTES = 8_000_000;
const clips = process.argv.length > 2 ? process.argv.slice(2) : ['64x48:200', '640x360:40', '1920x1080:8'];
const root = path.resolve(import.meta.dirname, '..');
const films = hasSharedData
  ? [
      sharedData('videos', 'tc_dog_eating_854132.mp4'),
      sharedData('videos', 'fw_video-1080p-60fps-2s.mp4'),
      sharedData('videos', 'mb_rotate-buck-bunny.mp4'),
    ]
  : [path.join(root, 'samples/coast.mp4')];
const { ffmpeg } = findFfmpeg({}, process.env.PATH ?? '');
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-frames-'));
const codec = createSharpCodec();

type Bytes = Uint8Array<ArrayBuffer>;
interface Film {
  width: number;
  height: number;
  frames: Bytes[];
}

/** How frames are stored. Left out: as they are. */
interface Form {
  name: string;
  /** ffmpeg's encoder with its options; what it reads is named like the first of them. */
  encoder: string;
  pixels?: string;
  decode?: (stored: Bytes, film: Film) => Promise<Bytes> | Bytes;
  encode?: (pixels: Bytes, film: Film) => Promise<Bytes> | Bytes;
  /** What Node does between ffmpeg and storage. */
  pack?: (file: Bytes) => Promise<Bytes> | Bytes;
  unpack?: (stored: Bytes) => Promise<Bytes> | Bytes;
}

const PPM = 'ppm';
const raw = ({ width, height }: Film) => ({ raw: { width, height, channels: 3 as const } });
const withSharp = (options: (image: Sharp) => Sharp) => async (pixels: Bytes, film: Film) =>
  new Uint8Array(await options(sharp(pixels, raw(film))).toBuffer());
const fromSharp = async (file: Bytes) => (await codec.decode(file)).data;
const ppmHeader = ({ width, height }: Film) => Buffer.from(`P6\n${width} ${height}\n255\n`);
const toPpm = (pixels: Bytes, film: Film) => new Uint8Array(Buffer.concat([ppmHeader(film), pixels]));
// A copy, as every decoder's result is one: the pixels go to another thread.
const fromPpm = (file: Bytes, film: Film) => file.slice(ppmHeader(film).length);

const packed = (name: string, pack: Form['pack'], unpack: Form['unpack']): Form => ({
  name: `raw, ${name}`,
  encoder: PPM,
  pack,
  unpack,
  encode: async (pixels, film) => (await pack?.(toPpm(pixels, film))) ?? pixels,
  decode: async (file, film) => fromPpm((await unpack?.(file)) ?? file, film),
});

/** Where a module is installed; `import` would not look into NODE_PATH. */
function optional(name: string, form: (module: Packer) => Form): Form[] {
  try {
    return [form(createRequire(import.meta.url)(name) as Packer)];
  } catch {
    console.warn(`${name} is not installed`);
    return [];
  }
}

type Transform = (bytes: Bytes) => Promise<Bytes>;
interface Packer {
  compress: Transform;
  uncompress: Transform;
}
const deflate = promisify(zlib.deflateRaw) as (bytes: Bytes, options: zlib.ZlibOptions) => Promise<Bytes>;
const inflate = promisify(zlib.inflateRaw) as (bytes: Bytes) => Promise<Bytes>;

function zstdForms(): Form[] {
  const { zstdCompress, zstdDecompress, constants } = zlib as unknown as Record<string, Function | undefined> & {
    constants: Record<string, number>;
  };
  if (!zstdCompress || !zstdDecompress) return [];
  const compress = promisify(zstdCompress) as (bytes: Bytes, options: object) => Promise<Bytes>;
  const level = (value: number) => ({ params: { [constants.ZSTD_c_compressionLevel ?? 100]: value } });
  const decompress = promisify(zstdDecompress) as Transform;
  return [1, -5].map((each) => packed(`zstd ${each}`, (bytes) => compress(bytes, level(each)), decompress));
}

const FORMS: Form[] = [
  {
    name: 'PNG, as it was',
    encoder: 'png -compression_level 1 -pred up',
    encode: (pixels, { width, height }) => codec.encode({ data: pixels, width, height }, 'png') as Promise<Bytes>,
  },
  {
    name: 'PNG, level 1, no filter',
    encoder: 'png -compression_level 1 -pred none',
    encode: withSharp((image) => image.png({ compressionLevel: 1 })),
  },
  {
    name: 'PNG, stored',
    encoder: 'png -compression_level 0 -pred none',
    encode: withSharp((image) => image.png({ compressionLevel: 0 })),
  },
  {
    name: 'WebP, lossless',
    encoder: 'libwebp -lossless 1 -compression_level 0',
    pixels: 'bgra',
    encode: withSharp((image) => image.webp({ lossless: true, effort: 0 })),
  },
  {
    name: 'JPEG, quality 95 (lossy)',
    encoder: 'mjpeg -q:v 2',
    pixels: 'yuvj444p',
    encode: withSharp((image) => image.jpeg({ quality: 95 })),
  },
  { name: 'raw (PPM)', encoder: PPM, decode: fromPpm, encode: toPpm },
  ...optional('lz4-napi', (lz4) => packed('lz4', lz4.compress, lz4.uncompress)),
  ...optional('snappy', (snappy) => packed('snappy', snappy.compress, snappy.uncompress)),
  ...zstdForms(),
  packed('deflate 1', (bytes) => deflate(bytes, { level: 1 }), inflate),
];

/** CPU milliseconds in a field of a process's statistics and the one behind it (Linux counts hundredths of a second). */
function ticks(file: string, field: number): number {
  const fields = (readFileSync(file, 'utf8').split(') ')[1] ?? '').split(' ').map(Number);
  return ((fields[field] ?? 0) + (fields[field + 1] ?? 0)) * 10;
}

/** Of the children that have ended. */
const childrenCpu = () => ticks('/proc/self/stat', 13);

/** CPU milliseconds of this process and its ended children while `work` ran. */
async function cpuOf<T>(work: () => Promise<T>): Promise<{ cpu: number; result: T }> {
  const [own, children] = [process.cpuUsage(), childrenCpu()];
  const result = await work();
  const { user, system } = process.cpuUsage(own);
  return { cpu: (user + system) / 1000 + childrenCpu() - children, result };
}

/** Gives ffmpeg its input and reads its output as the app does. */
async function run(args: string[], input: Iterable<Uint8Array> | AsyncIterable<Uint8Array> = []): Promise<Buffer> {
  const child = spawn(ffmpeg, ['-loglevel', 'error', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([
    buffer(child.stdout),
    once(child, 'close') as Promise<[number]>,
    pipeline(Readable.from(input), child.stdin),
  ]);
  if (code !== 0) throw new Error(`ffmpeg ${args.join(' ')} ended with ${code}`);
  return output;
}

/** Frames that are spread over real films. */
function photographs(width: number, height: number, count: number): Film {
  const each = Math.ceil(count / films.length);
  const scale = `thumbnail=3,scale=${width}:${height}:flags=bicubic`;
  const frames = films.flatMap((file) => {
    const args = ['-loglevel', 'error', '-stream_loop', '-1', '-i', file, '-vf', scale, '-frames:v', String(each)];
    const bytes = execFileSync(ffmpeg, [...args, '-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'], {
      maxBuffer: Infinity,
    });
    return cut(bytes, each);
  });
  return { width, height, frames: frames.slice(0, count) };
}

function cut(bytes: Buffer, count: number): Bytes[] {
  const length = bytes.length / count;
  return Array.from({ length: count }, (_, k) => new Uint8Array(bytes.subarray(k * length, (k + 1) * length)));
}

/** What the bundled model makes of them. */
async function paint({ width, height, frames }: Film): Promise<Film> {
  const session = await InferenceSession.create(path.join(root, 'models/starry-night.onnx'));
  const painted: Bytes[] = [];
  for (const frame of frames) {
    const plane = width * height;
    const planes = Float32Array.from(
      { length: 3 * plane },
      (_, k) => frame[(k % plane) * 3 + Math.floor(k / plane)] ?? 0,
    );
    const { stylized } = await session.run({ image: new Tensor('float32', planes, [1, 3, height, width]) });
    const out = stylized?.data as Float32Array;
    painted.push(
      Uint8Array.from({ length: 3 * plane }, (_, k) =>
        Math.min(255, Math.max(0, Math.round(out[(k % 3) * plane + Math.floor(k / 3)] ?? 0))),
      ),
    );
  }
  return { width, height, frames: painted };
}

const mean = (values: Bytes[]) => values.reduce((sum, { length }) => sum + length, 0) / values.length;
const same = (some: Bytes[], others: Bytes[]) =>
  some.every((each, k) => Buffer.compare(each, others[k] ?? Buffer.alloc(0)) === 0);

interface Cost {
  /** What ffmpeg takes to start and to read pixels, which is part of the first and the last. */
  nothing: number;
  split: number;
  decode: number;
  encode: number;
  stitch: number;
  /** Bytes. */
  photo: number;
  painted: number;
  exact: boolean;
}

/** The way of frames in one form, per frame. */
async function measure(form: Form, photo: Film, painted: Film, file: string): Promise<Cost> {
  const count = photo.frames.length;
  const pixels = form.pixels ? ['-pix_fmt', form.pixels] : [];
  const encoder = ['-c:v', ...form.encoder.split(' '), ...pixels];
  const read = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${photo.width}x${photo.height}`, '-i', file];
  const nothing = await cpuOf(() => run([...read, '-f', 'null', '-']));
  const split = await cpuOf(async () => {
    const pictures = await cutPictures(await run([...read, ...encoder, '-f', 'image2pipe', 'pipe:1']), form, photo);
    return inTurn(pictures, async (picture) => (await form.pack?.(picture)) ?? picture);
  });
  const decode = await cpuOf(() => inTurn(split.result, (stored) => (form.decode ?? fromSharp)(stored, photo)));
  const encode = await cpuOf(() => inTurn(painted.frames, (frame) => (form.encode ?? toPpm)(frame, painted)));
  const readBack = async (output: string[]) => {
    const pictures = await inTurn(encode.result, async (stored) => (await form.unpack?.(stored)) ?? stored);
    const name = form.encoder.split(' ')[0] ?? '';
    const decoder = name === 'libwebp' ? 'webp' : name;
    const times = pictures.map((_, k) => k * 40_000);
    const stream = matroska(Readable.from(pictures), 'png', times, { ...painted, frameSeconds: 0.04 });
    return run(['-f', 'matroska', '-c:v', decoder, '-i', 'pipe:0', '-vsync', '0', ...output], stream);
  };
  const stitch = await cpuOf(() => readBack(['-f', 'null', '-']));
  const back = cut(await readBack(['-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1']), count);
  return {
    nothing: nothing.cpu / count,
    split: split.cpu / count,
    decode: decode.cpu / count,
    encode: encode.cpu / count,
    stitch: stitch.cpu / count,
    photo: mean(split.result),
    painted: mean(encode.result),
    exact: same(decode.result, photo.frames) && same(back, painted.frames),
  };
}

async function inTurn<T, R>(values: T[], of: (value: T) => Promise<R> | R): Promise<R[]> {
  const results: R[] = [];
  for (const value of values) results.push(await of(value));
  return results;
}

/** The pictures that ffmpeg wrote one behind the other. */
async function cutPictures(all: Buffer, { encoder }: Form, film: Film): Promise<Bytes[]> {
  const pictures: Bytes[] = [];
  if (encoder.startsWith('png') || encoder.startsWith('mjpeg')) {
    const cutting = cutFrames(Readable.from([all]), encoder.startsWith('png') ? 'png' : 'jpg', () => {
      throw new Error('ffmpeg ended in the middle of a frame.');
    });
    for await (const picture of cutting) pictures.push(new Uint8Array(picture));
    return pictures;
  }
  const ppm = ppmHeader(film).length + film.width * film.height * 3;
  const lengthAt = (at: number) => (encoder === PPM ? ppm : 8 + all.readUInt32LE(at + 4));
  for (let at = 0; at < all.length; at += lengthAt(at))
    pictures.push(new Uint8Array(all.subarray(at, at + lengthAt(at))));
  return pictures;
}

/** CPU milliseconds, here and in Azurite, for a megabyte that is stored in a pack and read again. */
async function transferCost(): Promise<{ here: number; azurite: number }> {
  const azurite = await startAzurite(folder, process.env);
  try {
    const container = openAzurite(azurite.connectionString).media.getContainerClient('packs');
    await container.create();
    const pack = randomBytes(PACK_BYTES);
    const cpuOfAzurite = () => ticks(`/proc/${azurite.pid}/stat`, 11);
    const move = async (times: number) => {
      for (let k = 0; k < times; k += 1) {
        const blob = container.getBlockBlobClient(String(k));
        await blob.upload(pack, pack.length);
        await readWhole(blob);
      }
    };
    await move(3);
    const before = cpuOfAzurite();
    const { cpu } = await cpuOf(() => move(20));
    const megabytes = (20 * PACK_BYTES) / 1e6;
    return { here: cpu / megabytes, azurite: (cpuOfAzurite() - before) / megabytes };
  } finally {
    await azurite.stop();
  }
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const row = (cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);

try {
  const load = () => os.loadavg()[0]?.toFixed(1);
  const transfer = await transferCost();
  const perMegabyte = `${transfer.here.toFixed(1)} + ${transfer.azurite.toFixed(1)}`;
  console.log(
    `Node ${process.version}, ${perMegabyte} ms to store and read a megabyte (SDK + Azurite), load ${load()}`,
  );
  for (const clip of clips) {
    const [size = '', frames = 0] = clip.split(':');
    const [width = 0, height = 0] = size.split('x').map(Number);
    const photo = photographs(width, height, Number(frames));
    const painted = await paint(photo);
    const file = path.join(folder, 'photo.rgb');
    writeFileSync(file, Buffer.concat(photo.frames));
    const costs = new Map<Form, Cost[]>(FORMS.map((form) => [form, []]));
    for (let round = 0; round < ROUNDS; round += 1)
      for (const form of FORMS) costs.get(form)?.push(await measure(form, photo, painted, file));
    const nothing = median([...costs.values()].flat().map((cost) => cost.nothing));
    console.log(`\n${size}, ${photo.frames.length} frames, load ${load()}\n`);
    row([
      'stored as',
      'split',
      'scorer reads',
      'scorer writes',
      'stitch',
      'KB photo',
      'KB painted',
      'SDK',
      'Azurite',
      'all but Azurite',
      'all',
      'exact',
    ]);
    row(Array.from({ length: 12 }, () => '---'));
    for (const [form, all] of costs) {
      const of = (part: Exclude<keyof Cost, 'exact'>) => median(all.map((cost) => cost[part]));
      const megabytes = (of('photo') + of('painted')) / 1e6;
      const parts = [of('split') - nothing, of('decode'), of('encode'), of('stitch') - nothing];
      const moving = [megabytes * transfer.here, megabytes * transfer.azurite];
      const [here = 0, azurite = 0] = moving;
      const withoutAzurite = parts.reduce((sum, part) => sum + part, here);
      const sizes = [of('photo'), of('painted')].map((bytes) => (bytes / 1000).toFixed(bytes < 1e5 ? 1 : 0));
      const shown = (values: number[]) => values.map((value) => value.toFixed(value < 10 ? 2 : 1));
      const exact = all.every((cost) => cost.exact) ? 'yes' : 'no';
      row([
        form.name,
        ...shown(parts),
        ...sizes,
        ...shown([...moving, withoutAzurite, withoutAzurite + azurite]),
        exact,
      ]);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
