/** Less than this comes from memory that the process has anyway. */
const LEAST_BYTES = 128 * 1024;

/**
 * Memory of frames that is used again. The system clears new memory page by page as it is first written to, which takes several times as
 * long as to copy a frame there, and Node searches its heap the more often, the more memory it takes.
 */
export class FrameMemory {
  readonly #lent = new WeakMap<ArrayBufferLike, Buffer<ArrayBuffer>>();
  #free: Buffer<ArrayBuffer>[] = [];

  /** So many bytes, with anything in them. */
  take(bytes: number): Buffer<ArrayBuffer> {
    if (bytes < LEAST_BYTES) return Buffer.allocUnsafe(bytes);
    // Frames have one size, nearly always; where it changes, what others leave is of no use.
    if (this.#free[0]?.length !== bytes) this.#free = [];
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(bytes);
    this.#lent.set(memory.buffer, memory);
    return memory;
  }

  /** Takes memory back that nobody reads any more; what it has not lent is left alone. */
  giveBack({ buffer }: Uint8Array): void {
    const memory = this.#lent.get(buffer);
    this.#lent.delete(buffer);
    if (memory) this.#free.push(memory);
  }
}
