import { clamp, fbm, mix, noise, type Rgb, smooth } from './noise.js';

export const STYLE_SIZE = 576;

/** Centre, reach and turn of the great swirls, in shares of the picture. */
const SWIRLS = [
  [0.32, 0.36, 0.3, 1],
  [0.74, 0.24, 0.2, -1],
  [0.7, 0.7, 0.27, 1],
  [0.2, 0.8, 0.2, -1],
  [0.97, 0.52, 0.16, 1],
] as const;

const PALETTE: readonly Rgb[] = [
  [0.03, 0.07, 0.24],
  [0.04, 0.24, 0.52],
  [0.07, 0.5, 0.62],
  [0.9, 0.9, 0.78],
  [0.99, 0.72, 0.2],
  [0.9, 0.3, 0.14],
  [0.42, 0.08, 0.26],
];
/** Pixels that a brush stroke follows the current, each way. */
const STROKE = 22;

/** Which way the brush moves at a place: around the nearest swirls, along a slow wave elsewhere. Radians. */
function current(x: number, y: number): number {
  const drift = 0.5 * Math.sin(y * 5 + 3 * noise(x * 3, y * 3)) + 1.6 * (fbm(x * 2.2, y * 2.2, 2) - 0.5);
  let [dx, dy] = [0.55 * Math.cos(drift), 0.55 * Math.sin(drift)];
  for (const [cx, cy, reach, turn] of SWIRLS) {
    const [rx, ry] = [x - cx, y - cy];
    const far = Math.hypot(rx, ry) / reach;
    const pull = (turn * 2.4 * Math.exp(-far * far)) / (far * reach + 0.02);
    dx += pull * (-ry - 0.25 * turn * rx);
    dy += pull * (rx - 0.25 * turn * ry);
  }
  return Math.atan2(dy, dx);
}

/** 0..1 around the palette: bands that wind around the swirls. */
function hueAt(x: number, y: number): number {
  let turn = 1.1 * fbm(x * 2.4 + 5, y * 2.4, 3);
  for (const [cx, cy, reach, way] of SWIRLS) {
    const [rx, ry] = [x - cx, y - cy];
    const far = Math.hypot(rx, ry) / reach;
    const spiral = 0.5 + 0.5 * Math.sin(3 * Math.atan2(ry, rx) * way + 9 * far);
    turn = mix(turn, 0.1 + 0.75 * spiral + 0.25 * far, Math.exp(-((far * 0.9) ** 4)));
  }
  return clamp(turn, 0, 0.999);
}

function colourOf(hue: number): Rgb {
  const place = hue * (PALETTE.length - 1);
  const [low, high] = [PALETTE[Math.floor(place)] ?? [0, 0, 0], PALETTE[Math.ceil(place)] ?? [0, 0, 0]];
  const t = smooth(0.25, 0.75, place % 1);
  return [mix(low[0], high[0], t), mix(low[1], high[1], t), mix(low[2], high[2], t)];
}

/** Colour and thickness of the paint at a place, smeared along the current. */
function strokeAt(px: number, py: number): [...Rgb, number] {
  let [r, g, b, paint, count] = [0, 0, 0, 0, 0];
  for (const way of [1, -1]) {
    let [x, y] = [px, py];
    for (let step = 0; step < STROKE; step += 1) {
      const bristle = noise(x / 3.5, y / 3.5);
      if (step % 3 === 0) {
        const [cr, cg, cb] = colourOf(hueAt(x / STYLE_SIZE, y / STYLE_SIZE) * 0.86 + 0.16 * bristle);
        [r, g, b, count] = [r + cr, g + cg, b + cb, count + 1];
      }
      paint += bristle / (2 * STROKE);
      const angle = current(x / STYLE_SIZE, y / STYLE_SIZE);
      x += way * Math.cos(angle);
      y += way * Math.sin(angle);
    }
  }
  return [r / count, g / count, b / count, paint];
}

/** An abstract of swirling waves in thick paint, lit from the upper left; RGB24, a square of STYLE_SIZE. */
export function renderStyle(): Buffer {
  const size = STYLE_SIZE;
  const strokes = Array.from({ length: size * size }, (_, i) => strokeAt(i % size, Math.floor(i / size)));
  const paintAt = (x: number, y: number) =>
    strokes[Math.min(size - 1, Math.max(0, y)) * size + Math.min(size - 1, Math.max(0, x))]?.[3] ?? 0;
  const bytes = Buffer.alloc(3 * size * size);
  for (const [i, [r, g, b, paint]] of strokes.entries()) {
    const [x, y] = [i % size, Math.floor(i / size)];
    const relief = paintAt(x + 1, y + 1) - paintAt(x - 1, y - 1);
    const light = 0.92 + 3.4 * relief + 1.2 * (paint - 0.5);
    for (const [channel, value] of [r, g, b].entries())
      bytes[3 * i + channel] = Math.round(255 * clamp(value * light + 0.5 * Math.max(0, relief)));
  }
  return bytes;
}
