import { type ReadonlySignal, signal } from '@preact/signals';
import type { Connection } from './connection.js';
import type { Clock } from './polling.js';
import { hrefOf, readRoute, type Route } from './route.js';
import type { Dropped } from './start/picked.js';

/** What every view works with. */
export interface App {
  connection: Connection;
  clock: Clock;
  route: ReadonlySignal<Route>;
  /** Files that were dropped somewhere on the page, for the view that starts jobs; it takes them by `drop(undefined)`. */
  dropped: ReadonlySignal<Dropped | undefined>;
  drop: (files: Dropped | undefined) => void;
  go: (route: Exclude<Route, { view: 'nowhere' }>) => void;
  /** Has a screen reader say what has changed. */
  say: (text: string) => void;
  said: ReadonlySignal<string>;
  /** Milliseconds since the epoch, each second anew while the page is visible. */
  now: ReadonlySignal<number>;
}

export function createApp(connection: Connection, clock: Clock): App {
  const route = signal(readRoute(location.hash));
  const said = signal('');
  const now = signal(clock.now());
  const dropped = signal<Dropped | undefined>(undefined);
  globalThis.addEventListener('hashchange', () => {
    route.value = readRoute(location.hash);
  });
  const tick = () => {
    if (clock.isVisible()) now.value = clock.now();
    clock.after(1000, tick);
  };
  clock.after(1000, tick);
  return {
    connection,
    clock,
    route,
    dropped,
    said,
    now,
    go: (to) => {
      location.hash = hrefOf(to);
    },
    say: (text) => {
      said.value = text;
    },
    drop: (files) => {
      dropped.value = files;
    },
  };
}
