import type { Canvas } from './canvas.js';
import { blend, clamp, fbm, mix, noise, type Rgb, smooth } from './noise.js';
import { HORIZON, SUN } from './sky.js';

/** How far the camera has flown along the coast, in pixels of the village's distance, after `t` seconds. */
export const flown = (t: number) => 28 * t;

interface Ridge {
  /** Share of the camera's way by which it seems to move. */
  parallax: number;
  /** Pixels of the finished clip. */
  base: number;
  rise: number;
  length: number;
  seed: number;
  colour: Rgb;
  lit: Rgb;
}

const MOUNTAINS: readonly Ridge[] = [
  { parallax: 0.06, base: 158, rise: 44, length: 120, seed: 4.7, colour: [0.42, 0.3, 0.52], lit: [0.86, 0.48, 0.46] },
  { parallax: 0.14, base: 160, rise: 36, length: 84, seed: 21.3, colour: [0.24, 0.2, 0.44], lit: [0.66, 0.34, 0.42] },
];

/** Mountains behind the bay, each range bluer and slower than the one in front. */
export function paintMountains(canvas: Canvas, t: number): void {
  for (const ridge of MOUNTAINS) {
    const shift = flown(t) * ridge.parallax;
    const top = (u: number) => {
      const x = (u + shift) / ridge.length + ridge.seed;
      return ridge.base - ridge.rise * smooth(0.2, 0.85, fbm(x, ridge.seed, 5)) * mix(0.55, 1.15, noise(x * 0.4, 3));
    };
    paintGround(canvas, top, HORIZON + 2, (u, v) => {
      const slope = top(u + 2.5) - top(u - 2.5);
      const side = u < SUN.u ? 1 : -1;
      // Ribs run down from the crest: noise that is stretched the further it is below the skyline.
      const below = v - top(u);
      const rock = fbm((u + shift + below * 0.25) / 6, below / 15 + ridge.seed, 4);
      const haze = smooth(ridge.base - ridge.rise, ridge.base, v);
      const light = clamp(0.35 + 0.13 * side * -slope + (rock - 0.5) * 0.9);
      return blend(blend(ridge.colour, ridge.lit, light), [0.9, 0.52, 0.42], 0.4 * haze);
    });
  }
}

/** Fills from a skyline down to `bottom`; the skyline is soft by one pixel. */
export function paintGround(
  canvas: Canvas,
  top: (u: number) => number,
  bottom: number,
  colour: (u: number, v: number) => Rgb,
): void {
  const columns = Array.from({ length: canvas.width * canvas.fine }, (_, x) => top((x + 0.5) / canvas.fine));
  canvas.paint(0, Math.min(...columns) - 1, canvas.width, bottom, (u, v, at) => {
    const inside = v - (columns[Math.floor(u * canvas.fine)] ?? 0);
    if (inside > -0.5) canvas.cover(at, colour(u, v), clamp(inside + 0.5));
  });
}

/** The sea mirrors what is painted above it, broken up by waves that grow towards the viewer, with the sun's path across. */
export function paintSea(canvas: Canvas, t: number): void {
  canvas.paint(0, HORIZON, canvas.width, canvas.height, (u, v, at) => {
    const near = (v - HORIZON) / (canvas.height - HORIZON);
    const depth = 1 / (near + 0.03);
    const x = (u - 240) * 0.016 * depth + flown(t) * 0.02;
    const y = depth * 3.2;
    const swell = fbm(x * 0.7 + t * 0.2, y * 1.5 + t * 0.55, 4) - 0.5;
    const ripple = fbm(x * 3 - t * 0.5, y * 5 + t * 0.9, 3) - 0.5;
    const wave = swell + 0.6 * ripple;
    const mirrored = canvas.read(u + wave * 34 * near, HORIZON - 1 - (v - HORIZON) * 1.25 + wave * (10 + 70 * near));
    const deep = blend([0.1, 0.2, 0.4], [0.03, 0.2, 0.32], near);
    const body = blend(mirrored, deep, clamp(0.2 + 0.42 * near + wave * 0.5));
    canvas.cover(at, body, 1);
    canvas.light(at, [0.35, 0.5, 0.62], 0.9 * smooth(0.1, 0.34, wave) * near);
    const path = Math.exp(-(((u - SUN.u) / (16 + 105 * near)) ** 2));
    const glitter = smooth(0.06, 0.28, wave + 0.05 * (1 - near));
    canvas.light(at, [1, 0.6, 0.28], path * (0.28 * (1 - near) + 0.85 * glitter));
  });
}
