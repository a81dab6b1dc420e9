import { type ReadonlySignal, signal } from '@preact/signals';
import type { Connection } from './connection.js';
import type { Clock } from './polling.js';
import { hrefOf, readRoute, type Route } from './route.js';

/** What every view works with. */
export interface App {
  connection: Connection;
  clock: Clock;
  route: ReadonlySignal<Route>;
  /** Files that were dropped somewhere else than where a job is started; that view takes them. */
  dropped: ReadonlySignal<DataTransfer | undefined>;
  go: (route: Exclude<Route, { view: 'nowhere' }>) => void;
  /** Has a screen reader say what has changed. */
  say: (text: string) => void;
  said: ReadonlySignal<string>;
  /** Milliseconds since the epoch, each second anew while the page is visible. */
  now: ReadonlySignal<number>;
}

export interface RunningApp extends App {
  drop: (files: DataTransfer | undefined) => void;
}

export function createApp(connection: Connection, clock: Clock): RunningApp {
  const route = signal(readRoute(location.hash));
  const said = signal('');
  const now = signal(clock.now());
  const dropped = signal<DataTransfer | undefined>(undefined);
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
