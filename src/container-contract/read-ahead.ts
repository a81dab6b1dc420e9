/**
 * Takes from a source before it is asked, as much as fits.
 * @param most how much may wait; what goes beyond it is the last that is taken.
 * @param sizeOf what one value adds to that.
 * @throws what the source throws, after the values before it.
 */
export async function* readAhead<T>(
  source: AsyncIterable<T>,
  most: number,
  sizeOf: (value: T) => number,
): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const waiting: IteratorYieldResult<T>[] = [];
  const [arrival, departure] = [new Bell(), new Bell()];
  const state: { size: number; isOver: boolean; failure?: { error: unknown } } = { size: 0, isOver: false };
  const take = async () => {
    try {
      for (let step = await iterator.next(); step.done !== true && !state.isOver; step = await iterator.next()) {
        waiting.push(step);
        state.size += sizeOf(step.value);
        arrival.ring();
        while (state.size >= most && !state.isOver) await departure.rung();
        if (state.isOver) break;
      }
    } catch (error) {
      state.failure = { error };
    }
    state.isOver = true;
    arrival.ring();
  };
  const taking = take();
  try {
    for (;;) {
      const step = waiting.shift();
      if (step !== undefined) {
        state.size -= sizeOf(step.value);
        departure.ring();
        yield step.value;
      } else if (state.isOver) break;
      else await arrival.rung();
    }
    if (state.failure !== undefined) throw state.failure.error;
  } finally {
    state.isOver = true;
    departure.ring();
    await taking;
    await iterator.return?.();
  }
}

/** Wakes the one who waits for it. */
class Bell {
  #wake: (() => void) | undefined;

  ring(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** @returns when it is rung next. */
  rung(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
