import type { TaskItem } from '../../container-contract/task.js';

const TICK_MS = 1000;
/** A machine that slept between two ticks, or stood still, has not worked. */
const MOST_OF_A_TICK_MS = 2 * TICK_MS;

interface Inference {
  items: TaskItem[];
  milliseconds: number;
}

/** Watches how long the engines are busy with items: nothing can interrupt an inference. */
export class InferenceWatch {
  readonly #running = new Set<Inference>();
  readonly #timer: NodeJS.Timeout | undefined;
  #lastTick: number;

  /**
   * @param itemSeconds that the engine may take for one item; undefined: as long as it wants.
   * @param hung is told once which items it has taken longer for.
   */
  constructor(
    private readonly itemSeconds: number | undefined,
    private readonly hung: (items: TaskItem[]) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#lastTick = this.now();
    if (itemSeconds !== undefined)
      this.#timer = setInterval(() => this.tick(), Math.min(TICK_MS, (itemSeconds * 1000) / 4)).unref();
  }

  begin(items: TaskItem[]): void {
    this.#running.add({ items, milliseconds: this.#lastTick - this.now() });
  }

  /** What the engine did until now was not for the items: comparing the model or judging it, once for all items. */
  again(items: TaskItem[]): void {
    for (const each of this.#running) if (each.items === items) each.milliseconds = this.#lastTick - this.now();
  }

  end(items: TaskItem[]): void {
    for (const each of this.#running) if (each.items === items) this.#running.delete(each);
  }

  tick(): void {
    const now = this.now();
    const passed = Math.min(MOST_OF_A_TICK_MS, now - this.#lastTick);
    this.#lastTick = now;
    for (const inference of this.#running) {
      inference.milliseconds += passed;
      if (inference.milliseconds < (this.itemSeconds ?? Infinity) * 1000 * inference.items.length) continue;
      this.close();
      this.hung(inference.items);
      return;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#running.clear();
  }
}
