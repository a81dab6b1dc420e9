/** What a line tells of, the least important first: it is what goes when there is no room for all. */
export const IMPORTANCES = ['step', 'span', 'event'] as const;
export type Importance = (typeof IMPORTANCES)[number];

/** One record, ready to be sent. */
export interface Line {
  importance: Importance;
  json: string;
  /** How often it was refused for the time being while others were taken. */
  refusals?: number;
}

export type Counts = Record<Importance, number>;

export interface Bounds {
  items: number;
  /** Characters, which are bytes for nearly all of what is told. */
  size: number;
}

/**
 * The lines that wait to be sent, within bounds. When there is no room, the oldest of the least important lines are lost. Lines that were
 * taken keep their room until somebody says what became of them.
 */
export interface Backlog {
  /** Lines that wait to be taken. */
  readonly waiting: number;
  /** Those, and those that were taken. */
  readonly held: number;
  add(line: Line): void;
  /** Takes the most important lines, oldest first: one at least if any waits. */
  take(most: Bounds): Line[];
  /** Ends what `take` began: what was not delivered waits again, before all that came later. */
  settle(taken: Line[], again: Line[]): void;
  /** How many were lost since somebody asked last. */
  lost(): Counts;
}

export function createBacklog(bounds: Bounds): Backlog {
  const lines: Record<Importance, Line[]> = { step: [], span: [], event: [] };
  const held: Bounds = { items: 0, size: 0 };
  let lost = none();

  const hold = ({ json }: Line) => {
    held.items += 1;
    held.size += json.length;
  };
  const release = ({ json }: Line) => {
    held.items -= 1;
    held.size -= json.length;
  };
  const makeRoom = () => {
    for (const importance of IMPORTANCES) {
      while (held.items > bounds.items || held.size > bounds.size) {
        const oldest = lines[importance].shift();
        if (oldest === undefined) break;
        release(oldest);
        lost[importance] += 1;
      }
    }
  };

  return {
    get waiting() {
      return lines.step.length + lines.span.length + lines.event.length;
    },
    get held() {
      return held.items;
    },
    add(line) {
      lines[line.importance].push(line);
      hold(line);
      makeRoom();
    },
    take(most) {
      const taken: Line[] = [];
      let size = 0;
      for (const importance of IMPORTANCES.toReversed()) {
        const queue = lines[importance];
        let count = 0;
        for (const { json } of queue) {
          if (taken.length + count >= most.items || (size + json.length > most.size && taken.length + count > 0)) break;
          size += json.length;
          count += 1;
        }
        taken.push(...queue.splice(0, count));
      }
      return taken;
    },
    settle(taken, again) {
      const isAgain = new Set(again);
      for (const line of taken) if (!isAgain.has(line)) release(line);
      for (const importance of IMPORTANCES)
        lines[importance].unshift(...again.filter((line) => line.importance === importance));
    },
    lost() {
      const counts = lost;
      lost = none();
      return counts;
    },
  };
}

export const none = (): Counts => ({ step: 0, span: 0, event: 0 });
