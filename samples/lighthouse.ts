import type { Canvas } from './canvas.js';
import { paintGround, flown } from './coast.js';
import { blend, clamp, fbm, noise, type Rgb, smooth } from './noise.js';
import { HORIZON } from './sky.js';

const PARALLAX = 0.34;
/** World position and height of the headland, in pixels. */
const HEADLAND = { at: 372, width: 118, height: 30 };
const TOWER = { foot: HORIZON - 24, height: 52, half: 5.2 };
const TURN_SECONDS = 4.2;
const LAMP: Rgb = [1, 0.9, 0.58];

const towerU = (t: number) => HEADLAND.at - flown(t) * PARALLAX;

/** A rocky headland that runs out to the right, with the lighthouse on it. */
export function paintHeadland(canvas: Canvas, t: number): void {
  const shift = flown(t) * PARALLAX;
  const top = (u: number) => {
    const x = u + shift - HEADLAND.at;
    const shape = smooth(-HEADLAND.width * 0.62, -12, x) * (1 - 0.35 * smooth(30, 200, x));
    return HORIZON + 7 - (HEADLAND.height + 6) * shape - 9 * shape * (fbm((u + shift) / 22, 8, 4) - 0.5);
  };
  paintGround(canvas, top, HORIZON + 8, (u, v) => {
    const below = v - top(u);
    const rock =
      fbm((u + shift + below * 0.5) / 5, below / 15 + 7, 4) +
      0.07 * Math.sin(v * 1.3 + 9 * fbm((u + shift) / 20, v / 9, 2));
    const grass = smooth(6, 1.5, below);
    const facesSun = smooth(60, -70, u + shift - HEADLAND.at);
    const cliff = blend(
      [0.14, 0.11, 0.27],
      blend([0.36, 0.24, 0.4], [0.92, 0.48, 0.34], facesSun),
      clamp((rock - 0.3) * 1.8),
    );
    return blend(cliff, blend([0.1, 0.16, 0.2], [0.42, 0.4, 0.22], rock), grass * 0.85);
  });
  paintTower(canvas, towerU(t));
}

function paintTower(canvas: Canvas, centre: number): void {
  const { foot, height, half } = TOWER;
  canvas.paint(centre - 9, foot - height - 10, centre + 9, foot + 3, (u, v, at) => {
    const up = (foot - v) / height;
    const x = (u - centre) / half;
    const wide = up < 0.84 ? 1 - 0.38 * up : up < 0.88 ? 0.98 : up < 0.99 ? 0.46 : 0.62 - 5.4 * (up - 0.99);
    const inside = smooth(-0.08, 0.08, wide - Math.abs(x));
    if (inside <= 0 || up > 1.12) return;
    const round = clamp(0.72 - 0.5 * (x / wide) - 0.25 * (x / wide) ** 2);
    const stripe: Rgb = Math.floor(up * 6.2) % 2 === 0 ? [1, 0.9, 0.82] : [0.82, 0.2, 0.16];
    const lantern: Rgb = up > 0.88 && up < 0.99 ? [1.4, 1.2, 0.7] : [0.16, 0.12, 0.2];
    canvas.cover(at, up < 0.84 ? blend([0.12, 0.1, 0.24], stripe, round) : lantern, inside);
  });
}

/** Two beams that turn with the lamp: long when they point sideways, a flash when one points at the viewer. */
export function paintBeam(canvas: Canvas, t: number): void {
  const [u0, v0] = [towerU(t), TOWER.foot - TOWER.height * 0.935];
  const turn = (2 * Math.PI * t) / TURN_SECONDS + 2.6;
  const [side, towards] = [Math.cos(turn), Math.sin(turn)];
  canvas.paint(0, 0, canvas.width, canvas.height * 0.8, (u, v, at) => {
    const [du, dv] = [u - u0, v - v0 - 0.04 * Math.abs(u - u0) * towards];
    const along = Math.abs(du) / (0.12 + 0.88 * Math.abs(side));
    const width = 1.6 + Math.abs(du) * 0.13;
    const across = dv / width;
    if (Math.abs(across) > 2.4) return;
    const facing = du * side > 0 ? 0.62 + 0.38 * towards : 0.62 - 0.38 * towards;
    const mist = 0.7 + 0.6 * noise(u / 26 + t * 0.6, v / 13);
    canvas.light(at, LAMP, 0.74 * facing * mist * Math.abs(side) * Math.exp(-across * across * 1.6 - along / 170));
  });
  canvas.glow(u0, v0, 7 + 9 * Math.abs(towards) ** 6, LAMP, 0.85 + 0.9 * Math.abs(towards) ** 6);
}
