import type { SizeRule } from '../../model-card/schema.js';
import type { Picture, Size } from './codec.js';

/** The stretch of one side, in pixels of the frame, where a tile counts: from the middle of one overlap to the middle of the next. */
interface Span {
  start: number;
  from: number;
  to: number;
}

/** A part of a frame. */
export interface Tile extends Size {
  left: number;
  top: number;
  across: Span;
  down: Span;
}

/** Cuts a frame into parts of one size that are spread evenly and overlap at least as much as the card asks. */
export function planTiles({ tiles }: SizeRule, { width, height }: Size): Tile[] {
  const [tileWidth, tileHeight] = tiles?.size ?? [width, height];
  const columns = spans(width, tileWidth, tiles?.overlap ?? 0);
  const rows = spans(height, tileHeight, tiles?.overlap ?? 0);
  const size = { width: Math.min(width, tileWidth), height: Math.min(height, tileHeight) };
  return rows.flatMap((down) =>
    columns.map((across) => ({ left: across.start, top: down.start, ...size, across, down })),
  );
}

function spans(length: number, tile: number, overlap: number): Span[] {
  const count = length <= tile ? 1 : Math.ceil((length - overlap) / (tile - overlap));
  const startOf = (index: number) => Math.round((index * (length - tile)) / (count - 1));
  const between = (index: number) => (startOf(index) + startOf(index + 1) + tile) / 2;
  return Array.from({ length: count }, (_, index) => ({
    start: index === 0 ? 0 : startOf(index),
    from: index === 0 ? -Infinity : between(index - 1),
    to: index === count - 1 ? Infinity : between(index),
  }));
}

export function cutTile(frame: Picture, { left, top, width, height }: Omit<Tile, 'across' | 'down'>): Picture {
  if (width === frame.width && height === frame.height) return frame;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    const from = ((top + y) * frame.width + left) * 3;
    data.set(frame.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/** Puts scored tiles together: one turns into the other over a stretch in the middle of where they overlap. */
export class Canvas {
  readonly #size: Size;
  readonly #sums: Float32Array;

  /**
   * @param frame in pixels of the input.
   * @param options.channels bytes of a pixel.
   * @param options.scale pixels of the output for each pixel of the input, each way.
   * @param options.blend length of the stretch in pixels of the input; 0: from one pixel to the next.
   */
  constructor(
    frame: Size,
    private readonly options: { channels: 1 | 3; scale: number; blend: number },
  ) {
    this.#size = { width: frame.width * options.scale, height: frame.height * options.scale };
    this.#sums = new Float32Array(this.#size.width * this.#size.height * options.channels);
  }

  /** @param data bytes of the scored tile, whose sides are `scale` times those of the tile. */
  add({ left, top, width, height, across, down }: Tile, data: Uint8Array): void {
    const { channels, scale } = this.options;
    const columns = this.#weights(across, left, width);
    const rows = this.#weights(down, top, height);
    for (let y = 0, from = 0; y < rows.length; y += 1) {
      const row = rows[y] ?? 0;
      let to = ((top * scale + y) * this.#size.width + left * scale) * channels;
      for (const column of columns) {
        for (let channel = 0; channel < channels; channel += 1, from += 1, to += 1)
          this.#sums[to] = (this.#sums[to] ?? 0) + row * column * (data[from] ?? 0);
      }
    }
  }

  /** Rounded to the nearest byte. */
  picture(): Picture {
    const bytes = Uint8ClampedArray.from(this.#sums);
    return { ...this.#size, data: new Uint8Array(bytes.buffer) };
  }

  /** How much a tile counts at each of its output's pixels along one side; at every pixel the tiles' weights sum up to 1. */
  #weights({ from, to }: Span, start: number, length: number): Float32Array {
    const { scale, blend } = this.options;
    const passed = (border: number, at: number) => {
      if (blend === 0) return at < border ? 0 : 1;
      return Math.min(Math.max((at - border) / blend + 0.5, 0), 1);
    };
    return Float32Array.from({ length: length * scale }, (_, index) => {
      const at = start + (index + 0.5) / scale;
      return passed(from, at) - passed(to, at);
    });
  }
}
