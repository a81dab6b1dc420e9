import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { findByNameFirst, type Loki } from '../../../src/stack/find-by-name.js';

const azurite = createRequire(createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'));

interface Collection {
  insert(blob: object): void;
  findOne(query: object): { name: string; containerName: string } | null;
}
type Database = new (name: string) => { addCollection(name: string, options: object): Collection };

const BLOBS = 1000;

/** The blobs of two containers as Azurite keeps them, and how many were looked at. */
function blobs() {
  const database = new (azurite('lokijs') as Database)('');
  const indices = ['accountName', 'containerName', 'name', 'snapshot'];
  const collection = database.addCollection('blobs', { indices });
  const looked = new Set<string>();
  for (const containerName of ['a', 'b'])
    for (let index = 0; index < BLOBS / 2; index += 1) {
      const name = `frames/${index}.png`;
      const seen = () => {
        looked.add(`${containerName}/${name}`);
        return containerName;
      };
      const blob = { accountName: 'devstoreaccount1', name, snapshot: '' };
      collection.insert(Object.defineProperty(blob, 'containerName', { get: seen, enumerable: true }));
    }
  looked.clear();
  const find = (containerName: string, name: string) => {
    const query = { accountName: 'devstoreaccount1', containerName, name, snapshot: '' };
    return collection.findOne(query);
  };
  return { looked, find };
}

test('the database of Azurite looks at the blobs of one name only, where it would look at all', () => {
  const asItComes = blobs();
  asItComes.find('a', 'frames/77.png');
  expect(asItComes.looked.size).toBe(BLOBS);

  findByNameFirst(azurite('lokijs') as Loki);
  const { looked, find } = blobs();
  expect(find('b', 'frames/77.png')).toMatchObject({ containerName: 'b', name: 'frames/77.png' });
  expect([...looked].toSorted()).toEqual(['a/frames/77.png', 'b/frames/77.png']);
  expect(find('c', 'frames/77.png')).toBeNull();
  expect(find('a', 'frames/none.png')).toBeNull();
});
