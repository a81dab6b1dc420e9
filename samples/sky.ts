import type { Canvas } from './canvas.js';
import { blend, clamp, fbm, hash, noise, type Rgb, smooth } from './noise.js';

/** Where sky and sea meet, in pixels from the top. */
export const HORIZON = 160;
export const SUN = { u: 168, colour: [1, 0.56, 0.22] as Rgb };
const MOON = { u: 396, v: 46, radius: 15 };

/** From the horizon up: height as a share of the sky, colour. */
const DUSK: readonly (readonly [number, Rgb])[] = [
  [0, [1, 0.66, 0.3]],
  [0.12, [0.95, 0.47, 0.36]],
  [0.3, [0.64, 0.33, 0.52]],
  [0.55, [0.3, 0.3, 0.64]],
  [0.8, [0.16, 0.25, 0.6]],
  [1, [0.1, 0.19, 0.52]],
];

function dusk(height: number): Rgb {
  const above = DUSK.findIndex(([from]) => from > height);
  const [low, high] = [DUSK[above - 1], DUSK[above]];
  if (!low || !high) return DUSK.at(above < 0 ? -1 : 0)?.[1] ?? [0, 0, 0];
  return blend(low[1], high[1], smooth(low[0], high[0], height));
}

/** The whole sky: the afterglow, stars, moon and clouds drifting towards the left. */
export function paintSky(canvas: Canvas, t: number): void {
  const rows = Array.from({ length: (HORIZON + 2) * canvas.fine }, (_, y) =>
    dusk(clamp(1 - y / canvas.fine / HORIZON)),
  );
  canvas.paint(0, 0, canvas.width, HORIZON + 2, (u, v, at) => {
    canvas.cover(at, rows[Math.floor(v * canvas.fine)] ?? [0, 0, 0], 1);
    const [du, dv] = [(u - SUN.u) / 190, (v - HORIZON) / 62];
    canvas.light(at, SUN.colour, 0.62 * Math.exp(-(du * du + dv * dv) * 2.2));
  });
  paintStars(canvas, t);
  paintMoon(canvas);
  paintClouds(canvas, t);
}

/** Many faint stars, and a few large warm ones. They are strewn over strips so that no two large ones touch. */
function paintStars(canvas: Canvas, t: number): void {
  for (let star = 0; star < 120; star += 1) {
    const large = star % 9 === 0;
    const u = ((star + hash(star, 11)) / 120) * (canvas.width + 20) - t * 0.6;
    const v = 6 + (large ? 0.52 : 0.62) * HORIZON * hash(star, 23) ** 1.25;
    const twinkle = 0.8 + 0.2 * Math.sin(t * (2 + 4 * hash(star, 4)) + 40 * hash(star, 5));
    const faded = 1 - smooth(0.3, 0.72, v / HORIZON);
    if (!large) canvas.glow(u, v, 0.5 + 0.5 * hash(star, 6), [1, 0.95, 0.85], faded * twinkle * 0.8);
    else
      for (const radius of [9, 2.1])
        canvas.glow(u, v, radius, [1, 0.86, 0.5], faded * twinkle * (radius > 3 ? 0.5 : 1.15));
  }
}

function paintMoon(canvas: Canvas): void {
  const { u, v, radius } = MOON;
  canvas.glow(u, v, 62, [0.75, 0.7, 0.45], 0.5);
  canvas.glow(u, v, 26, [1, 0.86, 0.45], 0.55);
  canvas.paint(u - radius, v - radius, u + radius, v + radius, (x, y, at) => {
    const inside = radius - Math.hypot(x - u, y - v);
    const shadow = Math.hypot(x - u - 7, y - v + 4) - radius * 0.86;
    const grain = 0.86 + 0.28 * fbm(x / 5, y / 5, 3);
    canvas.cover(at, [1.05 * grain, 0.95 * grain, 0.66 * grain], smooth(-0.5, 0.7, inside) * smooth(-0.8, 1.4, shadow));
  });
}

/** Clouds lie on a plane overhead, so they grow finer towards the horizon; they are lit from below, from where the sun went down. */
function paintClouds(canvas: Canvas, t: number): void {
  canvas.paint(0, 0, canvas.width, HORIZON, (u, v, at) => {
    const height = 1 - v / HORIZON;
    const depth = 1 / (height + 0.22);
    const x = (u - 240) * 0.0125 * depth + 40 + t * 0.055;
    const y = depth * 2.6;
    const [warpX, warpY] = [noise(x * 0.9 + 3, y * 0.9 + t * 0.03), noise(x * 0.9 + 31, y * 0.9 - 7)];
    const density = fbm(x + 1.5 * warpX, y + 1.5 * warpY, 5);
    const cover = smooth(0.47, 0.7, density) * smooth(0, 0.1, height);
    if (cover <= 0) return;
    const towardsSun = fbm(x + 1.5 * warpX + (u > SUN.u ? -0.12 : 0.12), y + 1.5 * warpY + 0.2, 4);
    const lit = clamp(0.42 + (density - towardsSun) * 3.2);
    const glow = Math.exp(-(((u - SUN.u) / 230) ** 2) - (height / 0.62) ** 2);
    const shade = blend([0.13, 0.14, 0.36], [0.5, 0.25, 0.42], glow);
    const bright = blend([0.46, 0.5, 0.82], [1.08, 0.62, 0.36], clamp(glow * 1.35));
    canvas.cover(at, blend(shade, bright, lit), cover * 0.88);
  });
}
