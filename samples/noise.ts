/** Small deterministic maths for the pictures: hashes, noise and blends. Same input, same output, on every machine. */

export type Rgb = readonly [number, number, number];

export const clamp = (value: number, low = 0, high = 1) => Math.min(high, Math.max(low, value));
export const mix = (a: number, b: number, t: number) => a + (b - a) * t;
export const blend = (a: Rgb, b: Rgb, t: number): Rgb => [mix(a[0], b[0], t), mix(a[1], b[1], t), mix(a[2], b[2], t)];

export function smooth(low: number, high: number, value: number): number {
  const t = clamp((value - low) / (high - low));
  return t * t * (3 - 2 * t);
}

/** 0..1 from two integers. */
export function hash(x: number, y: number): number {
  let h = Math.imul(x, 374761393) + Math.imul(y, 668265263);
  h = Math.imul(h ^ (h >>> 13), 1274126177);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

/** Value noise, 0..1, one bump per unit. */
export function noise(x: number, y: number): number {
  const [ix, iy] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - ix, y - iy];
  const [sx, sy] = [fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)];
  return mix(mix(hash(ix, iy), hash(ix + 1, iy), sx), mix(hash(ix, iy + 1), hash(ix + 1, iy + 1), sx), sy);
}

/** Noise in octaves, 0..1: each twice as fine and half as strong, turned a little so that no grid shows. */
export function fbm(x: number, y: number, octaves: number): number {
  let [sum, weight, total] = [0, 1, 0];
  let [u, v] = [x, y];
  for (let i = 0; i < octaves; i += 1) {
    sum += weight * noise(u, v);
    total += weight;
    weight *= 0.5;
    [u, v] = [1.6 * u + 1.2 * v + 17.3, 1.6 * v - 1.2 * u + 9.1];
  }
  return sum / total;
}
