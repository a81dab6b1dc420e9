/** One picture of a folder. */
export interface ListedItem {
  /** Below the job's prefix, e.g. `nested/a.jpg`. */
  name: string;
  /** The version that was listed, without quotes; absent in lists of earlier versions of the app. */
  etag?: string;
  /** Of that version; absent in lists of earlier versions of the app. */
  bytes?: number;
  /** Its output's name below the output prefix, without the ending. */
  output: string;
}

/** How many items one list holds: whatever the number of items, only this many names are in memory. */
export const LIST_LENGTH = 1000;

/** Where an item stands: list number `list`, line `line`, both from 0. */
export const placeOf = (index: number) => ({ list: Math.floor(index / LIST_LENGTH), line: index % LIST_LENGTH });

/**
 * Names outputs after their inputs: `nested/a.jpg` → `nested/a`. When several names differ only in their ending, the first one in
 * the order of the listing gets the short name and the others keep their full name, `a.png` → `a.png`, so no two are the same.
 * Call it with every name in that order; it remembers no more names than the longest one has characters.
 */
export function createOutputNames(): (name: string) => string {
  /** Names given so far that a later input may want too: those that the current name starts with. */
  let taken: string[] = [];
  return (name) => {
    taken = taken.filter((given) => name.startsWith(given) && name.charAt(given.length) <= '.');
    const short = name.replace(/\.[^./]*$/, '');
    const output = short === '' || short.endsWith('/') || taken.includes(short) ? name : short;
    taken.push(output);
    return output;
  };
}

/** A list as it is stored: one JSON line for each item. */
export const formatList = (items: ListedItem[]) => items.map((item) => `${JSON.stringify(item)}\n`).join('');

export const parseList = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ListedItem);

/** Cuts a sequence, such as the names in a folder, into groups of `size`; only the last one may be shorter. */
export async function* groupsOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
