/** Work of one activity: what two cores decode and store in about two minutes. */
const CHUNK_SECONDS = 120;
/** Seconds that a frame takes whatever its size, and seconds per pixel, as measured in docs/media.md. */
const FRAME_SECONDS = 0.01;
const PIXEL_SECONDS = 25e-9;

/** Frames that one activity splits or encodes, by the size of a frame. */
export const chunkFrames = ({ width, height }: { width: number; height: number }): number =>
  Math.max(1, Math.floor(CHUNK_SECONDS / (FRAME_SECONDS + PIXEL_SECONDS * width * height)));

/** Frames `first` to `first + count` (exclusive) of a video. */
export interface FrameRange {
  first: number;
  count: number;
}

/** Chunk `index` of `items` frames cut into chunks of `size`; the last may be shorter. */
export const chunkAt = (index: number, items: number, size: number): FrameRange => ({
  first: index * size,
  count: Math.min(size, items - index * size),
});
