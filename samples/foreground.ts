import type { Canvas } from './canvas.js';
import { flown, paintGround } from './coast.js';
import { blend, clamp, fbm, hash, noise, type Rgb, smooth } from './noise.js';

interface Cypress {
  /** Place along the coast at the trees' own distance, in pixels. */
  at: number;
  height: number;
  half: number;
}

const PARALLAX = 1.7;
const CYPRESSES: readonly Cypress[] = [
  { at: 74, height: 214, half: 25 },
  { at: 112, height: 132, half: 17 },
  { at: 398, height: 158, half: 19 },
  { at: 566, height: 226, half: 27 },
  { at: 608, height: 150, half: 18 },
  { at: 742, height: 120, half: 15 },
];
const MEADOW = 2.4;

/** Cypresses that sway like flames, and a meadow that rushes by closest of all. */
export function paintForeground(canvas: Canvas, t: number): void {
  for (const tree of CYPRESSES) paintCypress(canvas, tree, tree.at - flown(t) * PARALLAX, t);
  paintMeadow(canvas, t);
}

function paintCypress(canvas: Canvas, { at: place, height, half }: Cypress, u0: number, t: number): void {
  if (u0 < -60 || u0 > canvas.width + 60) return;
  const foot = canvas.height - 6;
  canvas.paint(u0 - half - 16, foot - height - 4, u0 + half + 16, canvas.height, (u, v, at) => {
    const up = (foot - v) / height;
    const sway = up * up * 7 * Math.sin(t * 1.3 + place) + 4 * Math.sin(up * 7 + t * 1.9 + place) * up;
    const x = (u - u0 - sway) / half;
    const flame = fbm(x * 2.1 + place, up * height * 0.045 + t * 0.12, 4) - 0.5;
    const wide = (1 - clamp(up)) ** 0.75 * (0.62 + 0.38 * smooth(0, 0.22, up)) + 0.55 * flame * (1 - up * up);
    const inside = smooth(-0.05, 0.07, wide - Math.abs(x));
    if (inside <= 0 || up > 1) return;
    const strand = fbm(x * 5.5 + 3 * flame + place, v * 0.06 + 2 * Math.abs(x), 4);
    const leaf = blend([0.015, 0.05, 0.08], [0.2, 0.32, 0.15], clamp((strand - 0.34) * 2.1));
    const rim = smooth(0.26, 0, wide - Math.abs(x)) * clamp(0.5 - x);
    canvas.cover(at, blend(leaf, [0.95, 0.5, 0.2], 0.62 * rim * (0.4 + strand)), inside);
  });
}

function paintMeadow(canvas: Canvas, t: number): void {
  const shift = flown(t) * MEADOW;
  const top = (u: number) => {
    const x = u + shift;
    const tufts = 9 * fbm(x / 19, 3, 2) + 6 * noise(x / 2.7, 9) ** 2;
    return canvas.height - 10 - 8 * Math.sin(x / 150 + 1) - tufts - 1.2 * Math.sin(t * 2 + x / 30);
  };
  paintGround(canvas, top, canvas.height, (u, v) => {
    const x = u + shift;
    const below = v - top(u);
    const blades = fbm(x / 2.1 + below * 0.16, v / 17, 3);
    const green: Rgb = blend([0.02, 0.08, 0.1], [0.34, 0.4, 0.13], clamp((blades - 0.3) * 1.7 - below * 0.012));
    return blend(green, [0.95, 0.55, 0.24], 0.45 * smooth(4, 0, below));
  });
  paintFlowers(canvas, shift, top);
}

/** Lavender and poppies in drifts. */
function paintFlowers(canvas: Canvas, shift: number, top: (u: number) => number): void {
  const first = Math.floor(shift / 3);
  for (let flower = first - 1; flower < first + canvas.width / 3 + 2; flower += 1) {
    const drift = noise(flower / 22, 5);
    if (hash(flower, 31) > 1.9 * drift - 0.45) continue;
    const u = (flower + hash(flower, 32)) * 3 - shift;
    const v = top(u) + 1 + 15 * hash(flower, 33);
    const size = 1 + 0.8 * hash(flower, 34);
    const colour: Rgb = noise(flower / 30, 9) > 0.55 ? [0.95, 0.3, 0.2] : [0.72, 0.46, 0.95];
    canvas.paint(u - size - 1, v - 2 * size, u + size + 1, v + 2 * size, (x, y, at) => {
      const inside = 1 - Math.hypot((x - u) / size, (y - v) / (1.5 * size));
      if (inside > 0)
        canvas.cover(at, blend(colour, [1, 0.85, 0.9], 0.35 * smooth(v, v - size, y)), smooth(0, 0.5, inside));
    });
  }
}
