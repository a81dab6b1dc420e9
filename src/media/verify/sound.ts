import { createHash, type Hash } from 'node:crypto';
import { local, QUIET, UNTRUSTED, words } from '../ffmpeg/arguments.js';
import type { CompareRequest } from './compare.js';
import { rounded } from '../facts.js';
import { packets } from './packets.js';
import { run, type Program, type Tools } from '../ffmpeg/process.js';

/** A sound track of the output beside that of the source. */
export interface SoundComparison {
  /** Packets. */
  expected: number;
  found: number;
  /** Whether their bytes are the same, but for the ADTS header that AAC has in a stream and not in a file. */
  sameData: boolean;
  /** Seconds that the first packet is off. */
  offsetError: number;
}

/** A sound track of a file. */
interface Sound {
  packets: number;
  /** Time of the first packet in seconds of the file. */
  first: number;
  /** Of the hashes of all packets. */
  hash: string;
}

/**
 * The tracks in the order of the file.
 * @param end what begins later, in seconds of the file, does not count; neither does what a broken file fails at
 */
export async function readSound(
  ffprobe: Program,
  file: string,
  signal?: AbortSignal,
  end = Infinity,
): Promise<Sound[]> {
  const tracks = new Map<string, Omit<Sound, 'hash'> & { hash: Hash }>();
  const entries = 'packet=stream_index,pts_time,data_hash';
  const options = ['-select_streams', 'a', '-show_data_hash', 'md5'];
  let stream = '';
  for await (const fields of packets(ffprobe, file, options, entries, signal, end < Infinity)) {
    if (Number(fields.get('pts_time')) >= end) continue;
    const next = fields.get('stream_index');
    stream = next ?? stream;
    const track = tracks.get(stream) ?? { packets: 0, first: Number(fields.get('pts_time')), hash: createHash('md5') };
    // Side data breaks the line of a packet in two, the second without the stream.
    if (next !== undefined) track.packets += 1;
    track.hash.update(fields.get('data_hash') ?? '');
    tracks.set(stream, track);
  }
  const inOrder = [...tracks].toSorted(([a], [b]) => Number(a) - Number(b));
  return inOrder.map(([, track]) => ({ ...track, hash: track.hash.digest('hex') }));
}

export async function compareSound(
  tools: Tools,
  request: CompareRequest,
  before: Sound[],
  after: Sound[],
): Promise<SoundComparison[]> {
  const { facts } = request;
  const differs = before.some(({ hash }, index) => hash !== after[index]?.hash);
  const bare =
    differs && facts.soundCodecs.includes('aac') ? await hashesWithoutAdts(tools.ffmpeg, request, before) : [];
  return before.map(({ packets: expected, first, hash }, index) => {
    const track = after[index];
    if (!track) return { expected, found: 0, sameData: false, offsetError: 0 };
    const sameData = track.hash === hash || track.hash === bare[index];
    const offsetError = rounded(Math.abs(first - facts.fileStart - track.first));
    return { expected, found: track.packets, sameData, offsetError };
  });
}

/** The hashes of the same packets of the source as files such as MP4 hold them; none of a file that ffmpeg fails at. */
async function hashesWithoutAdts(
  ffmpeg: Program,
  { source, facts, signal }: CompareRequest,
  tracks: Sound[],
): Promise<string[]> {
  const bare = facts.soundCodecs.flatMap((codec, index) =>
    codec === 'aac' ? [`-bsf:a:${index}`, 'aac_adtstoasc'] : [],
  );
  const copy = [...words('-map 0:a -c copy'), ...bare, ...words('-f framemd5 pipe:1')];
  const { stdout } = await run(ffmpeg, [...QUIET, '-nostdin', ...UNTRUSTED, '-i', local(source), ...copy], signal);
  const lines = stdout
    .toString()
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()));
  return tracks.map(({ packets: count }, index) => {
    const own = lines.filter(([stream]) => stream === String(index)).slice(0, count);
    return createHash('md5')
      .update(own.map(([, , , , , hash]) => `MD5:${hash}`).join(''))
      .digest('hex');
  });
}
