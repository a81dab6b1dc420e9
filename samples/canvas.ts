import type { Rgb } from './noise.js';

/** A picture in floating point, painted in layers from back to front. Coordinates are those of the finished clip. */
export class Canvas {
  readonly pixels: Float32Array;

  /** @param fine pixels painted per finished pixel, in each direction */
  constructor(
    readonly width: number,
    readonly height: number,
    readonly fine: number,
  ) {
    this.pixels = new Float32Array(3 * width * height * fine * fine);
  }

  /** Asks `colour` for each pixel of a box, given in finished pixels. */
  paint(
    left: number,
    top: number,
    right: number,
    bottom: number,
    each: (u: number, v: number, at: number) => void,
  ): void {
    const { fine } = this;
    const columns = this.width * fine;
    const [x0, x1] = [Math.max(0, Math.floor(left * fine)), Math.min(columns, Math.ceil(right * fine))];
    const [y0, y1] = [Math.max(0, Math.floor(top * fine)), Math.min(this.height * fine, Math.ceil(bottom * fine))];
    for (let y = y0; y < y1; y += 1) {
      for (let x = x0; x < x1; x += 1) each((x + 0.5) / fine, (y + 0.5) / fine, 3 * (y * columns + x));
    }
  }

  /** Lays a colour over a pixel. */
  cover(at: number, [r, g, b]: Rgb, alpha: number): void {
    const { pixels } = this;
    pixels[at] = (pixels[at] ?? 0) * (1 - alpha) + r * alpha;
    pixels[at + 1] = (pixels[at + 1] ?? 0) * (1 - alpha) + g * alpha;
    pixels[at + 2] = (pixels[at + 2] ?? 0) * (1 - alpha) + b * alpha;
  }

  /** Adds light to a pixel. */
  light(at: number, [r, g, b]: Rgb, strength: number): void {
    const { pixels } = this;
    pixels[at] = (pixels[at] ?? 0) + r * strength;
    pixels[at + 1] = (pixels[at + 1] ?? 0) + g * strength;
    pixels[at + 2] = (pixels[at + 2] ?? 0) + b * strength;
  }

  /** The colour painted so far at a place, held at the borders. */
  read(u: number, v: number): Rgb {
    const x = Math.min(this.width * this.fine - 1, Math.max(0, Math.floor(u * this.fine)));
    const y = Math.min(this.height * this.fine - 1, Math.max(0, Math.floor(v * this.fine)));
    const at = 3 * (y * this.width * this.fine + x);
    return [this.pixels[at] ?? 0, this.pixels[at + 1] ?? 0, this.pixels[at + 2] ?? 0];
  }

  /** A soft round light. */
  glow(u: number, v: number, radius: number, colour: Rgb, strength: number): void {
    const reach = 3 * radius;
    this.paint(u - reach, v - reach, u + reach, v + reach, (x, y, at) => {
      const far = ((x - u) ** 2 + (y - v) ** 2) / (radius * radius);
      if (far < 9) this.light(at, colour, strength * (1 / (1 + 4 * far) - 1 / 37));
    });
  }

  /** RGB24 bytes. Highlights roll off instead of clipping. */
  toBytes(): Buffer {
    const bytes = Buffer.allocUnsafe(this.pixels.length);
    for (const [index, value] of this.pixels.entries()) {
      const light = value < 0.75 ? value : 0.75 + 0.25 * (1 - Math.exp(-(value - 0.75) / 0.25));
      bytes[index] = Math.max(0, Math.round(255 * light));
    }
    return bytes;
  }
}
