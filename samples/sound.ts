import { clamp, hash, noise } from './noise.js';

export const SAMPLE_RATE = 44_100;

/** A slow chord under it all: D, A, F sharp, E, in hertz. */
const PAD = [73.42, 110, 146.83, 185, 220, 329.63];
/** When a bell sounds, in seconds, its pitch in hertz, and where it stands from left (-1) to right (1). */
const BELLS = [
  [0.5, 587.33, -0.5],
  [1.25, 739.99, 0.2],
  [2, 880, 0.5],
  [3.1, 659.25, -0.2],
  [3.9, 987.77, 0.4],
  [4.7, 880, -0.4],
  [5.45, 587.33, 0],
] as const;

/** Waves on a beach, a pad and a few bells: interleaved stereo, signed 16 bits, little-endian. */
export function renderSound(seconds: number): Buffer {
  const frames = Math.round(seconds * SAMPLE_RATE);
  const bytes = Buffer.alloc(frames * 4);
  const surf = [createSurf(1), createSurf(2)];
  for (let frame = 0; frame < frames; frame += 1) {
    const t = frame / SAMPLE_RATE;
    const fade = clamp(t / 0.4) * clamp((seconds - t) / 0.9);
    for (const [channel, nextWave] of surf.entries()) {
      const value = nextWave(t) + padAt(t, channel) + bellsAt(t, channel === 0 ? -1 : 1);
      bytes.writeInt16LE(Math.round(32_767 * 0.9 * Math.tanh(value * fade)), frame * 4 + channel * 2);
    }
  }
  return bytes;
}

/** Noise through two low-pass filters that open as a wave breaks. */
function createSurf(channel: number): (t: number) => number {
  let [state, low, high] = [channel * 7919, 0, 0];
  return (t) => {
    state += 1;
    const swell = 0.25 + 0.75 * Math.sin((Math.PI * (t + 0.3 * channel)) / 3.4) ** 4;
    low += (0.02 + 0.1 * swell) * (hash(state, channel) - 0.5 - low);
    high += 0.35 * (low - high);
    return high * swell * 0.85;
  };
}

function padAt(t: number, channel: number): number {
  let sum = 0;
  for (const [index, pitch] of PAD.entries()) {
    const detuned = pitch * (1 + (channel === 0 ? 0.0011 : -0.0011));
    const breath = 0.5 + 0.5 * noise(t * 0.5 + index * 3.7, index);
    sum +=
      (breath * (Math.sin(2 * Math.PI * detuned * t) + 0.25 * Math.sin(4 * Math.PI * detuned * t))) /
      (1 + 0.35 * index);
  }
  return 0.075 * sum * clamp(t / 1.2);
}

function bellsAt(t: number, side: number): number {
  let sum = 0;
  for (const [start, pitch, place] of BELLS) {
    const since = t - start;
    if (since < 0) continue;
    const strike = Math.min(1, since / 0.006) * Math.exp(-since * 2.1);
    const tone =
      Math.sin(2 * Math.PI * pitch * since) + 0.3 * Math.exp(-since * 5) * Math.sin(2 * Math.PI * pitch * 2.76 * since);
    sum += strike * tone * (0.5 + 0.4 * place * side);
  }
  return 0.2 * sum;
}
