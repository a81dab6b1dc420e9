import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DatabaseClass, keepJournals } from '../../../src/stack/journal.js';

const azurite = createRequire(createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'));

interface Collection {
  name: string;
  data: object[];
  insert(document: object): object;
  update(document: object): void;
  remove(document: object): void;
  findAndRemove(query: object): void;
  find(query?: object): { name: string; $loki: number }[];
}

/** A database as Azurite makes one. */
interface Database {
  collections: Collection[];
  addCollection(name: string, options?: object): Collection;
  removeCollection(name: string): void;
  loadDatabase(options: object, callback: (error?: unknown) => void): void;
  saveDatabase(callback: (error?: unknown) => void): void;
}

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'journal-'));
  file = path.join(folder, 'database.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const AZURITE = { persistenceMethod: 'fs', autosave: false };
const saved = (database: Database) =>
  new Promise<void>((resolve, reject) => database.saveDatabase((error) => (error ? reject(error) : resolve())));

/** A process that has just started: it reads what the last one left. */
async function open() {
  const { loki, write } = keepJournals(azurite('lokijs') as DatabaseClass);
  const database = new loki(file, AZURITE) as unknown as Database;
  if (readdirSync(folder).includes('database.json'))
    await new Promise<void>((resolve, reject) =>
      database.loadDatabase({}, (error) => (error ? reject(error) : resolve())),
    );
  const blobs = database.addCollection('blobs', { indices: ['name'] });
  await saved(database);
  return { database, blobs, write };
}

/** All that a database holds, without what LokiJS notes about when. */
const contents = ({ collections }: Database) =>
  JSON.parse(
    JSON.stringify(Object.fromEntries(collections.map(({ name, data }) => [name, data]))).replaceAll(
      /,"meta":\{[^}]*\}/g,
      '',
    ),
  ) as Record<string, object[]>;

const names = (blobs: Collection) => blobs.find().map(({ name }) => name);
const journals = () => readdirSync(folder).filter((name) => name.includes('.journal-'));

test('what was written down is there when the process comes back, and no change is there in part', async () => {
  const { blobs, write } = await open();
  blobs.insert({ name: 'a', when: new Date(0) });
  expect(write()).toBe(true);
  blobs.insert({ name: 'never written down' });

  const second = await open();
  expect(names(second.blobs)).toEqual(['a']);
  second.blobs.insert({ name: 'b' });
  second.blobs.insert({ name: 'c' });
  second.write();
  const [journal = ''] = journals();
  appendFileSync(path.join(folder, journal), '[["put","blobs",9,{"name":"cut sh');

  const third = await open();
  expect(names(third.blobs)).toEqual(['a', 'b', 'c']);
  third.blobs.insert({ name: 'd' });
  third.write();
  const { database, blobs: found } = await open();
  expect(contents(database)).toMatchObject({ blobs: [{ name: 'a', when: '1970-01-01T00:00:00.000Z' }, {}, {}, {}] });
  expect(found.find({ name: 'd' })).toMatchObject([{ name: 'd', $loki: 4 }]);
});

test('any changes in any order come back as they were, also when the database was saved in between', async () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const long = 'x'.repeat(8_400_000);
  let { database, blobs, write } = await open();
  let saves = 0;
  for (let step = 0; step < 150; step += 1) {
    const kind = random(12);
    const [some] = blobs.find({ name: `n${random(20)}` });
    if (kind < 5) blobs.insert({ name: `n${random(20)}` });
    else if (kind < 7 && some) blobs.update(Object.assign(some, { step }));
    else if (kind === 7 && some) blobs.remove(some);
    else if (kind === 8) blobs.findAndRemove({ name: `n${random(20)}` });
    else if (kind === 9) database.addCollection(`t${random(2)}`).insert({ step });
    else if (kind === 10) database.removeCollection(`t${random(2)}`);
    else {
      if (step > 100 && saves < 2) {
        // Makes the journal long and the database no larger.
        const large = blobs.insert({ name: 'large', text: long });
        write();
        blobs.remove(large);
      }
      write();
      const before = contents(database);
      if (random(2) === 0) await saved(database);
      if (journals().length === 0) saves += 1;
      ({ database, blobs, write } = await open());
      expect(contents(database)).toEqual(before);
    }
  }
  // Otherwise no journal was long enough for the database to be saved.
  expect(saves).toBe(2);
});

test('a journal that is older than the saved database changes nothing', async () => {
  const { database, blobs, write } = await open();
  const [a, b] = ['a', 'b'].map((name) => blobs.insert({ name }));
  blobs.insert({ name: 'c' });
  write();
  if (a) blobs.update(Object.assign(a, { name: 'A' }));
  if (b) blobs.remove(b);
  write();
  writeFileSync(file, JSON.stringify(database));
  const again = await open();
  expect(names(again.blobs)).toEqual(['A', 'c']);
  expect(again.blobs.find({ name: 'A' })).toHaveLength(1);
});

test('changes that cannot be written down are owned up to, and written down when they can be', async () => {
  const { blobs, write } = await open();
  const journal = path.join(folder, 'database.json.journal-2');
  mkdirSync(journal);
  blobs.insert({ name: 'a' });
  expect(write()).toBe(false);
  rmSync(journal, { recursive: true });
  blobs.insert({ name: 'b' });
  expect(write()).toBe(true);
  expect(names((await open()).blobs)).toEqual(['a', 'b']);
});
