import { createRequire } from 'node:module';

/**
 * Azurite, with its arguments, finding a blob by its name first. As it comes, it looks at every blob of the account for each
 * request about one: its database, LokiJS, uses an index for the first condition of a query only, which is the account there.
 * The order of conditions changes no answer, and requests do not get slower as blobs get more (docs/benchmarks.md).
 */
const azurite = createRequire(createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'));
const Loki = azurite('lokijs') as new (name: string) => { addCollection(name: string): { chain(): Query } };

type Condition = Record<string, unknown>;
type FindAnd = (this: Query, conditions: Condition[]) => Query;
interface Query {
  collection: { binaryIndices: object };
  findAnd: FindAnd;
  $and: FindAnd;
}

const query = Object.getPrototypeOf(new Loki('').addCollection('').chain()) as Query;
const { findAnd } = query;

function findByNameFirst(this: Query, conditions: Condition[]): Query {
  const byName = conditions.filter(({ name }) => typeof name === 'string');
  if (byName.length !== 1 || !('name' in this.collection.binaryIndices)) return findAnd.call(this, conditions);
  return findAnd.call(this, [...byName, ...conditions.filter(({ name }) => typeof name !== 'string')]);
}
query.findAnd = findByNameFirst;
query.$and = findByNameFirst;

azurite('./azurite.js');
