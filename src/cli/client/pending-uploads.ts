import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UPLOADS } from '../../stack/stack.js';
import type { FileVersion } from './large-upload.js';

/** Where uploads of files were going that have not become a job yet, so that a later command goes on with them. */
export interface PendingUploads {
  /** The place in the app's storage where this very version of the file was going. */
  find(file: string, version: FileVersion): Promise<string | undefined>;
  note(file: string, version: FileVersion, stored: string): Promise<void>;
  /** What this command has noted has become a job. */
  forget(): Promise<void>;
}

/** Storage drops blocks that have become no blob after a week. */
const KEPT_MS = 6 * 86_400_000;

interface Pending extends FileVersion {
  stored: string;
  at: number;
}

/**
 * @param data folder that keeps them.
 * @param app tells the apps apart that uploads go to.
 */
export function createPendingUploads(data: string, app: string): PendingUploads {
  const noted = new Set<string>();
  const placeOf = (file: string) => {
    const name = createHash('sha256').update(`${app}\n${file}`).digest('hex').slice(0, 32);
    return path.join(data, UPLOADS, `${name}.json`);
  };
  return {
    async find(file, { size, mtimeMs }) {
      const place = placeOf(file);
      const pending = await readFile(place, 'utf8').then(parse, () => undefined);
      const isSame = pending?.size === size && pending.mtimeMs === mtimeMs && Date.now() - pending.at < KEPT_MS;
      if (!isSame) return undefined;
      noted.add(place);
      return pending.stored;
    },
    async note(file, { size, mtimeMs }, stored) {
      const place = placeOf(file);
      await mkdir(path.dirname(place), { recursive: true });
      await writeFile(place, JSON.stringify({ stored, size, mtimeMs, at: Date.now() } satisfies Pending));
      noted.add(place);
    },
    async forget() {
      for (const place of noted) await rm(place, { force: true });
    },
  };
}

/** Undefined for what was cut off. */
function parse(text: string): Pending | undefined {
  try {
    return JSON.parse(text) as Pending;
  } catch {
    return undefined;
  }
}
