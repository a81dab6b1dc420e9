const MOST_LANES = 16;

export interface LaneOptions<T> {
  items: AsyncIterable<T>;
  /** Items in flight from the start. */
  first: number;
  /** Handles one item from first to last step. Its rejection ends the run. */
  work: (item: T) => Promise<void>;
  /** Whether the engine had to wait for a frame since the last call: then one more lane opens, if `mayGrow` allows it. */
  starved: () => boolean;
  /** Whether one more item in flight fits into memory. */
  mayGrow: (lanes: number) => boolean;
  signal: AbortSignal;
}

/**
 * Items in flight from the start: for each engine the frames it scores at a time and as many again that wait for it, and one
 * more that is fetched, decoded, encoded or stored.
 */
export function firstLanes(batch: number, engines: number): number {
  return 2 * batch * engines + 1;
}

/**
 * Works on items in order, several at a time: as few as keep the engine busy, so that memory does not grow with the number of
 * items. No new item starts once `signal` is aborted or the work on one item has failed.
 * @throws the first error of `work` or `items`, once all lanes have ended.
 */
export async function runLanes<T>({ items, first, work, starved, mayGrow, signal }: LaneOptions<T>): Promise<void> {
  const next = items[Symbol.asyncIterator]();
  const lanes: Promise<void>[] = [];
  let failure: { error: unknown } | undefined;
  const take = async () => {
    try {
      return await next.next();
    } catch (error) {
      // Nobody waits for an item any more whose transfer the stop has ended.
      if (!signal.aborted) failure ??= { error };
      return { done: true, value: undefined } as const;
    }
  };
  const isOver = () => failure !== undefined || signal.aborted;
  const lane = async () => {
    for (let step = await take(); step.done !== true && !isOver(); step = await take()) {
      try {
        await work(step.value);
      } catch (error) {
        failure ??= { error };
      }
      if (isOver()) return;
      if (starved() && lanes.length < MOST_LANES && mayGrow(lanes.length + 1)) lanes.push(lane());
    }
  };
  for (let index = 0; index < first; index += 1) lanes.push(lane());
  // The list grows while it is walked.
  for (const running of lanes) await running;
  await next.return?.();
  if (failure !== undefined) throw failure.error;
}
