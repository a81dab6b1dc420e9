import { paintBirds } from './birds.js';
import { Canvas } from './canvas.js';
import { paintMountains, paintSea } from './coast.js';
import { paintForeground } from './foreground.js';
import { paintBeam, paintHeadland } from './lighthouse.js';
import { paintSky } from './sky.js';
import { paintVillage } from './village.js';

export const CLIP = { width: 480, height: 270, framesPerSecond: 24, seconds: 7 };
/** Painted at twice the size, then reduced: smooth edges everywhere. */
export const FINE = 2;

/** One frame of a flight along a coast at dusk, `t` seconds after the start, from back to front; RGB24 at FINE times the size. */
export function renderFrame(t: number): Buffer {
  const canvas = new Canvas(CLIP.width, CLIP.height, FINE);
  paintSky(canvas, t);
  paintMountains(canvas, t);
  paintHeadland(canvas, t);
  paintBirds(canvas, t);
  paintSea(canvas, t);
  paintBeam(canvas, t);
  paintVillage(canvas, t);
  paintForeground(canvas, t);
  return canvas.toBytes();
}
