import type { Canvas } from './canvas.js';
import { flown, paintGround } from './coast.js';
import { blend, clamp, fbm, hash, mix, type Rgb, smooth } from './noise.js';

interface House {
  /** Middle of the house along the coast, in pixels. */
  at: number;
  half: number;
  wall: number;
  roof: number;
  tint: number;
}

const WINDOW: Rgb = [1.25, 0.82, 0.3];
const HOUSES: readonly House[] = Array.from({ length: 34 }, (_, i) => ({
  at: 14 + i * 18.5 + 11 * hash(i, 61),
  half: 4 + 2.6 * hash(i, 62),
  wall: 7 + 5 * hash(i, 63),
  roof: 4.5 + 3.5 * hash(i, 64),
  tint: hash(i, 65),
}));
const CHURCH = { at: 252, half: 8, wall: 19, tower: 4.6, spire: 56 };

/** The slope above the beach, in pixels from the top, at a place along the coast. */
const slope = (x: number) =>
  216 - 13 * Math.sin(x / 96 + 0.6) - 7 * Math.sin(x / 41 + 2) - 5 * (fbm(x / 18, 5, 3) - 0.5);

/** Fields and bushes on the slope, two rows of houses with lit windows, and a church with a spire. */
export function paintVillage(canvas: Canvas, t: number): void {
  const shift = flown(t);
  paintFields(canvas, shift);
  for (const back of [true, false]) {
    for (const [index, house] of HOUSES.entries()) {
      if ((index % 2 === 0) === back) paintHouse(canvas, shift, house, back ? 3 : 15 + 6 * hash(index, 67), index);
    }
    paintBushes(canvas, shift, back ? 7 : 26);
    if (back) paintChurch(canvas, shift);
  }
}

function paintFields(canvas: Canvas, shift: number): void {
  const top = (u: number) => slope(u + shift);
  paintGround(canvas, top, canvas.height, (u, v) => {
    const x = u + shift;
    const below = v - top(u);
    const field = fbm(x / 17, below / 6 + 40, 4);
    const furrow = 0.5 + 0.5 * Math.sin(x / 3.1 + below * 0.8 + 9 * fbm(x / 34, below / 20, 2));
    const green = blend([0.05, 0.13, 0.16], [0.34, 0.42, 0.16], clamp((field - 0.28) * 1.6 + 0.16 * furrow));
    const rim = smooth(4, 0, below);
    return blend(green, [0.92, 0.55, 0.26], 0.5 * rim);
  });
}

/** A house seen from the corner: the gable side towards the glow, the long side in shadow under one slope of the roof. */
function paintHouse(
  canvas: Canvas,
  shift: number,
  { at: place, half, wall, roof, tint }: House,
  row: number,
  index: number,
): void {
  const [u0, foot] = [place - shift, slope(place) + row];
  const long = half * (1.1 + 0.9 * hash(index, 66));
  if (u0 < -60 || u0 > canvas.width + 60) return;
  canvas.paint(u0 - half - 2, foot - wall - roof - 5, u0 + half + long + 2, foot, (u, v, at) => {
    const [x, up] = [u - u0, foot - v];
    const gable = x < half ? wall + roof * (1 - Math.abs(x) / half) : 0;
    const ridge = x > 0 && x < long ? wall + roof : x >= long ? wall + roof * (1 - (x - long) / half) : 0;
    const onGable = x < half && up < gable && x > -half;
    const onRoof = !onGable && x > 0 && up > wall && up < ridge;
    const onLong = x >= half && x < half + long && up <= wall;
    const chimney = Math.abs(x - long * 0.7) < 1.1 && up > wall && up < wall + roof + 3.5;
    if (!onGable && !onRoof && !onLong && !chimney) return;
    const lit = clamp(0.62 - (0.2 * x) / half + 0.3 * (fbm(x / 2 + index, up / 2, 2) - 0.5)) * mix(0.72, 1, tint);
    const walls = blend([0.24, 0.2, 0.4], [0.95, 0.68, 0.52], onGable ? lit : lit * 0.42);
    const tiles = 0.5 + 0.5 * Math.sin(up * 2.6);
    const roofs = blend([0.22, 0.12, 0.28], mixRoof(tint), clamp(0.5 + 0.25 * tiles));
    canvas.cover(at, onRoof || chimney ? roofs : walls, 1);
  });
  if (hash(index, 71) > 0.2) paintWindow(canvas, u0, foot - wall * 0.6, half * 0.2);
  if (hash(index, 72) > 0.35) paintWindow(canvas, u0 + half + long * 0.45, foot - wall * 0.52, half * 0.17);
}

const mixRoof = (tint: number): Rgb => (tint > 0.4 ? [0.78, 0.32, 0.2] : [0.46, 0.34, 0.52]);

function paintWindow(canvas: Canvas, u: number, v: number, half: number): void {
  canvas.paint(u - half, v - 1.9, u + half, v + 1.9, (_u, _v, at) => canvas.cover(at, WINDOW, 1));
  canvas.glow(u, v, 4.6, [1, 0.6, 0.2], 0.5);
}

/** Round trees and shrubs between the houses. */
function paintBushes(canvas: Canvas, shift: number, row: number): void {
  for (let bush = 0; bush < 60; bush += 1) {
    const place = bush * 11 + 9 * hash(bush, row);
    const [u0, v0, radius] = [place - shift, slope(place) + row - 2 * hash(bush, 81), 2.5 + 3.5 * hash(bush, row + 1)];
    if (hash(bush, row + 2) < 0.45 || u0 < -10 || u0 > canvas.width + 10) continue;
    canvas.paint(u0 - radius - 3, v0 - radius - 3, u0 + radius + 3, v0 + radius, (u, v, at) => {
      const [x, y] = [(u - u0) / radius, (v - v0) / radius];
      const leaves = fbm((u + shift) / 2.2, v / 2.2, 3);
      const inside = 1 - Math.hypot(x, y) + 0.7 * (leaves - 0.5);
      if (inside <= 0) return;
      const lit = clamp(0.35 - 0.35 * x - 0.35 * y + (leaves - 0.5));
      canvas.cover(at, blend([0.02, 0.09, 0.12], [0.5, 0.5, 0.2], lit), smooth(0, 0.15, inside));
    });
  }
}

function paintChurch(canvas: Canvas, shift: number): void {
  const { at, half, wall, tower, spire } = CHURCH;
  const u0 = at - shift;
  const foot = slope(at) + 8;
  canvas.paint(u0 - 24, foot - spire, u0 + half + 2, foot, (u, v, paintAt) => {
    const [x, up] = [u - u0, foot - v];
    const body = up < wall + 8 * (1 - Math.abs(x) / half) && Math.abs(x) < half;
    const inTower = Math.abs(x + half + tower) < (up < 31 ? tower : tower * 1.1 * (1 - (up - 31) / (spire - 31)));
    if (!body && !inTower) return;
    const lit = clamp(0.66 - (inTower ? (x + half + tower) / tower : x / half) / 2);
    const slate = inTower ? up > 31 : up > wall;
    canvas.cover(
      paintAt,
      slate ? blend([0.12, 0.12, 0.3], [0.5, 0.36, 0.5], lit) : blend([0.3, 0.24, 0.42], [0.98, 0.76, 0.6], lit),
      1,
    );
  });
  for (const [u, v] of [
    [-half - tower, 24],
    [-2.5, 10],
    [3.5, 10],
  ] as const) {
    paintWindow(canvas, u0 + u, foot - v, 1.2);
  }
}
