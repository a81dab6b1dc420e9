import { type FSWatcher, readdirSync, watch } from 'node:fs';
import path from 'node:path';

/** A build writes many files; it is over when none has been written for so long. */
const SETTLED_MS = 300;
const CODE = /\.([cm]?js|json|node)$/;
/** What the host itself reads, once. */
const SETTINGS = ['host.json', 'local.settings.json'];

export interface WatchPorts {
  /** Code has changed, and a moment has passed without another change. */
  onCode: () => void;
  /** A file has changed that the host reads only at start. */
  onSettings: (name: string) => void;
}

/**
 * Watches the compiled files of an app: the folders right below the app's own in which its main files lie. When one lies in the app's own
 * folder, all folders are watched but those of packages and those whose names begin with a dot.
 * @param files paths of the main files.
 * @returns what ends the watch.
 */
export function watchApp(app: string, files: readonly string[], { onCode, onSettings }: WatchPorts): () => void {
  const tops = new Set(files.map((file) => path.relative(app, file).split(path.sep).slice(0, -1)[0] ?? ''));
  const isOfApp = (name: string) =>
    tops.has(name) || (tops.has('') && name !== 'node_modules' && !name.startsWith('.'));
  const folders = new Map<string, FSWatcher>();
  let settling: NodeJS.Timeout | undefined;

  const changed = () => {
    clearTimeout(settling);
    settling = setTimeout(onCode, SETTLED_MS);
  };
  const watchFolders = () => {
    for (const each of readdirSync(app, { withFileTypes: true })) {
      if (!each.isDirectory() || !isOfApp(each.name) || folders.has(each.name)) continue;
      const watcher = watch(path.join(app, each.name), { recursive: true }, (_, name) => {
        if (name === null || CODE.test(name)) changed();
      });
      folders.set(
        each.name,
        watcher.on('error', () => undefined),
      );
    }
  };
  const root = watch(app, (_, name) => {
    if (name === null) return;
    if (SETTINGS.includes(name)) onSettings(name);
    else if (name === 'package.json' || (tops.has('') && CODE.test(name))) changed();
    else if (isOfApp(name) && path.extname(name) === '') {
      // A build may remove its folder and make it again.
      folders.get(name)?.close();
      folders.delete(name);
      watchFolders();
      changed();
    }
  }).on('error', () => undefined);
  watchFolders();
  return () => {
    clearTimeout(settling);
    for (const watcher of [root, ...folders.values()]) watcher.close();
  };
}
