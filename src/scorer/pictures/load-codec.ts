import { JobError, messageOf } from '../../job/failure.js';
import type { Codec } from './codec.js';

/**
 * The codec to use: sharp, or jimp where sharp's native library is missing or does not load.
 * @param warn gets a sentence that says why sharp is not used.
 * @throws JobError `user`: the codec that was asked for does not load.
 */
export async function loadCodec(
  wanted: 'auto' | 'sharp' | 'jimp',
  warn: (sentence: string) => void,
  loadSharp: () => Promise<Codec> = sharpCodec,
): Promise<Codec> {
  if (wanted === 'jimp') return jimpCodec();
  try {
    return await loadSharp();
  } catch (cause) {
    const reason = messageOf(cause).slice(0, 200);
    if (wanted === 'sharp') throw new JobError('user', `The picture library sharp does not load: ${reason}`, { cause });
    warn(`sharp does not load, jimp is used instead and is slower: ${reason}`);
    return jimpCodec();
  }
}

async function sharpCodec(): Promise<Codec> {
  const { createSharpCodec } = await import('./sharp-codec.js');
  return createSharpCodec();
}

async function jimpCodec(): Promise<Codec> {
  const { createJimpCodec } = await import('./jimp-codec.js');
  return createJimpCodec();
}
