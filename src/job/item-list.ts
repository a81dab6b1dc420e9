/** One picture of a folder. */
export interface ListedItem {
  /** Below the job's prefix, e.g. `nested/a.jpg`. */
  name: string;
  /** Its output's name below the output prefix, without the ending. */
  output: string;
}

/** Items in one list; lists are what bounds memory, whatever the number of items. */
export const LIST_LENGTH = 1000;

/** Where an item stands: list number `list`, line `line`. Both from 0. */
export const placeOf = (index: number) => ({ list: Math.floor(index / LIST_LENGTH), line: index % LIST_LENGTH });

/**
 * Names outputs after their inputs, `nested/a.jpg` → `nested/a`. Of inputs that differ in their ending only, the first one in
 * the order of the listing is named so and the others keep their full name: `a.png` → `a.png`, so that no two are the same.
 * Asked with all names in that order; holds no more names than the longest one has characters.
 */
export function createOutputNames(): (name: string) => string {
  /** Names given that a later input may want too: those that the current name starts with. */
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
