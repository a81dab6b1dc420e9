import type { Canvas } from './canvas.js';
import { hash, smooth } from './noise.js';

/** A loose flock that crosses the sky against the flight of the camera. */
export function paintBirds(canvas: Canvas, t: number): void {
  for (let bird = 0; bird < 9; bird += 1) {
    const rank = Math.ceil(bird / 2);
    const side = bird % 2 === 0 ? 1 : -1;
    const u = 96 + 30 * t - rank * (13 + 4 * hash(bird, 1)) + 3 * Math.sin(t * 1.1 + bird);
    const v = 84 - 4.5 * t + side * rank * (6 + 2 * hash(bird, 2)) + 2.4 * Math.sin(t * 1.7 + 2 * bird);
    paintBird(canvas, u, v, 5.4 + 1.8 * hash(bird, 3), Math.sin(t * (7 + hash(bird, 5)) + 5 * hash(bird, 4)));
  }
}

/** Two bent wings; `flap` goes from -1, wings down, to 1, wings up. */
function paintBird(canvas: Canvas, u0: number, v0: number, span: number, flap: number): void {
  canvas.paint(u0 - span - 2, v0 - span, u0 + span + 2, v0 + span, (u, v, at) => {
    const out = Math.abs(u - u0) / span;
    if (out > 1) return;
    const wing = v0 - span * (0.55 * flap * Math.sin(out * 2.1) + 0.18 * Math.sin(out * Math.PI));
    const thick = 1.15 * (1 - out) + 0.25;
    canvas.cover(at, [0.07, 0.06, 0.16], smooth(thick + 0.4, thick - 0.4, Math.abs(v - wing)) * 0.92);
  });
}
