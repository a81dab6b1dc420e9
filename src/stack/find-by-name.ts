type Condition = Record<string, unknown>;
type FindAnd = (this: Query, conditions: Condition[]) => Query;

interface Query {
  collection: { binaryIndices: object };
  findAnd: FindAnd;
  $and: FindAnd;
}

/** LokiJS, the database of Azurite, as far as it matters here. */
export type Loki = new (name: string) => { addCollection(name: string): { chain(): Query } };

/**
 * Has the queries of LokiJS look for the name first. It uses an index for the first condition of a query only, which is the account in those
 * of Azurite, so each request about one blob would look at every blob of the account (docs/lab/benchmarks.md has what it costs).
 * The order of conditions changes no answer.
 */
export function findByNameFirst(loki: Loki): void {
  const query = Object.getPrototypeOf(new loki('').addCollection('').chain()) as Query;
  const { findAnd } = query;
  const reordered: FindAnd = function (conditions) {
    const byName = conditions.filter(({ name }) => typeof name === 'string');
    if (byName.length !== 1 || !('name' in this.collection.binaryIndices)) return findAnd.call(this, conditions);
    return findAnd.call(this, [...byName, ...conditions.filter(({ name }) => typeof name !== 'string')]);
  };
  query.findAnd = reordered;
  query.$and = reordered;
}
