import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { callbackify } from 'node:util';

/** What LokiJS stores, numbered by LokiJS itself. */
interface Document {
  $loki: number;
}

interface Collection {
  data: Document[];
  idIndex: number[] | null;
  maxId: number;
  on(event: 'insert' | 'update' | 'delete', listener: (documents: Document | Document[]) => void): void;
  ensureAllIndexes(force: boolean): void;
}

type Callback = (error?: unknown) => void;

/** A database of LokiJS, as far as it matters here. */
interface Database {
  addCollection(name: string, options?: object): Collection;
  getCollection(name: string): Collection | null;
  removeCollection(name: string): void;
  loadDatabase(options: object, callback: Callback): void;
  saveDatabase(callback?: Callback): void;
  autosaveDirty(): boolean;
}

export type DatabaseClass = new (file: string, options: object) => Database;

/** One change of a database: a collection was added or removed, a document was stored or removed. */
type Change =
  | ['add', collection: string, options: object | undefined]
  | ['drop', collection: string]
  | ['put', collection: string, id: number, document: Document]
  | ['remove', collection: string, id: number];

/**
 * The journal of one database: files beside it, numbered in the order in which they were begun, with a line of JSON for all
 * changes that were written at once. A line without its end was cut short by the death of the process, and counts for nothing.
 */
class Journal {
  readonly #database: string;
  #number = 1;
  #descriptor: number | undefined;
  #changes: Change[] = [];
  /** Bytes of whole lines in the file that is written to. */
  #length = 0;
  /** Bytes of all files. */
  bytes = 0;

  constructor(database: string) {
    this.#database = database;
  }

  note(change: Change): void {
    this.#changes.push(change);
  }

  /** Writes what was noted. @returns whether it is in the file; what is not stays noted. */
  write(): boolean {
    if (this.#changes.length === 0) return true;
    const line = Buffer.from(`${JSON.stringify(this.#changes)}\n`);
    try {
      this.#descriptor ??= openSync(this.#file(this.#number), 'a');
      for (let written = 0; written < line.length;) written += writeSync(this.#descriptor, line, written);
    } catch {
      if (this.#descriptor !== undefined) ftruncateSync(this.#descriptor, this.#length);
      return false;
    }
    this.#changes = [];
    this.#length += line.length;
    this.bytes += line.length;
    return true;
  }

  /** Reads all changes since the database was saved, oldest first, and goes on with the newest file. */
  read(): Change[] {
    const changes: Change[] = [];
    this.bytes = 0;
    for (const number of this.#numbers()) {
      const text = readFileSync(this.#file(number));
      const whole = text.subarray(0, text.lastIndexOf('\n') + 1);
      for (const line of whole.toString().split('\n')) if (line !== '') changes.push(...(JSON.parse(line) as Change[]));
      this.#number = number;
      this.#length = whole.length;
      this.bytes += whole.length;
    }
    this.#descriptor = openSync(this.#file(this.#number), 'a');
    ftruncateSync(this.#descriptor, this.#length);
    return changes;
  }

  /** Begins a new file. @returns what removes the files so far, to be called when the database is saved. */
  turn(): () => Promise<void> {
    this.write();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    const old = this.#numbers();
    const oldBytes = this.bytes;
    this.#number = Math.max(this.#number, ...old) + 1;
    this.#length = 0;
    return async () => {
      for (const number of old) await rm(this.#file(number), { force: true });
      this.bytes -= oldBytes;
    };
  }

  readonly #file = (number: number) => `${this.#database}.journal-${number}`;

  #numbers(): number[] {
    const start = `${path.basename(this.#database)}.journal-`;
    return readdirSync(path.dirname(this.#database))
      .filter((name) => name.startsWith(start))
      .map((name) => Number(name.slice(start.length)))
      .toSorted((a, b) => a - b);
  }
}

/** A database is saved whole, and its journal begun anew, when the journal is longer than the saved database, but no sooner than this. */
const SHORT_JOURNAL_BYTES = 8 * 1024 * 1024;

/**
 * Makes LokiJS, the database of Azurite, keep a journal: LokiJS saves a whole database every five seconds, and what it stored since is
 * lost when its process is killed.
 * @returns the class to use instead, and what writes down all that was noted so far. To be called before anybody is told about a change; it
 * says whether everything is in the files, which it is not when the disk is full.
 */
export function keepJournals(loki: DatabaseClass): { loki: DatabaseClass; write: () => boolean } {
  /** Azurite makes the database of a service before the one of its extents; what a blob refers to is written before the blob. */
  const journals: Journal[] = [];
  const write = () => journals.map((journal) => journal.write()).every(Boolean);

  class JournalledDatabase extends loki {
    readonly #file: string;
    readonly #journal: Journal;
    #loading = false;

    constructor(file: string, options: object) {
      const journal = new Journal(file);
      super(file, { ...options, adapter: fileOf(journal) });
      this.#file = file;
      this.#journal = journal;
      journals.unshift(journal);
    }

    override addCollection(name: string, options?: object): Collection {
      const isNew = this.getCollection(name) === null;
      const collection = super.addCollection(name, options);
      if (!isNew) return collection;
      this.#note(['add', name, options]);
      const put = (documents: Document | Document[]) => {
        for (const document of [documents].flat()) this.#note(['put', name, document.$loki, document]);
      };
      collection.on('insert', put);
      collection.on('update', put);
      collection.on('delete', (documents) => {
        for (const { $loki } of [documents].flat()) this.#note(['remove', name, $loki]);
      });
      return collection;
    }

    override removeCollection(name: string): void {
      super.removeCollection(name);
      this.#note(['drop', name]);
    }

    override loadDatabase(options: object, callback: Callback): void {
      this.#loading = true;
      super.loadDatabase(options, (error) => {
        if (!error) this.#replay();
        this.#loading = false;
        callback(error);
      });
    }

    /** Does nothing while the journal is short: nothing is lost without it. */
    override saveDatabase(callback?: Callback): void {
      if (this.autosaveDirty()) super.saveDatabase(callback);
      else if (callback) setImmediate(callback);
    }

    override autosaveDirty(): boolean {
      const saved = statSync(this.#file, { throwIfNoEntry: false });
      return saved === undefined || this.#journal.bytes > Math.max(SHORT_JOURNAL_BYTES, saved.size);
    }

    #note(change: Change): void {
      if (this.#loading) return;
      this.#journal.note(change);
    }

    /** A journal may be older than the saved database, when the process died before it could remove it; to replay it then changes nothing. */
    #replay(): void {
      const documents = new Map<string, Map<number, Document>>();
      const of = (name: string) => {
        const known = documents.get(name) ?? new Map(this.getCollection(name)?.data.map((each) => [each.$loki, each]));
        documents.set(name, known);
        return known;
      };
      for (const change of this.#journal.read()) {
        const [kind, name] = change;
        if (kind === 'add') this.addCollection(name, change[2]);
        else if (kind === 'drop') {
          this.removeCollection(name);
          documents.delete(name);
        } else if (kind === 'put') of(name).set(change[2], change[3]);
        else of(name).delete(change[2]);
      }
      for (const [name, byId] of documents) {
        const collection = this.getCollection(name);
        if (!collection) continue;
        collection.data = [...byId.values()].toSorted((a, b) => a.$loki - b.$loki);
        collection.idIndex = null;
        collection.maxId = Math.max(collection.maxId, ...byId.keys());
        collection.ensureAllIndexes(true);
      }
    }
  }
  return { loki: JournalledDatabase, write };
}

/** How LokiJS reads and saves a database: whole, in a file that is replaced at once. */
const fileOf = (journal: Journal) => ({
  loadDatabase: (file: string, callback: (text: string | Error) => void) => {
    try {
      callback(readFileSync(file, 'utf8'));
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)));
    }
  },
  saveDatabase: (file: string, text: string, callback: Callback) => {
    const forget = journal.turn();
    callbackify(async () => {
      await replaceFile(file, text);
      await forget();
    })(callback);
  },
});

async function replaceFile(file: string, text: string): Promise<void> {
  const unfinished = `${file}~`;
  try {
    const handle = await open(unfinished, 'w');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, file);
  } catch (error) {
    // A full disk has room again for the journal.
    await rm(unfinished, { force: true });
    throw error;
  }
}
