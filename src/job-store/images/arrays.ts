import { mayBeNamed, writePack } from '../../container-contract/pack.js';
import { itemName } from '../../container-contract/places.js';
import { deliverStream, type OutputPlace } from '../outputs.js';
import type { Storage } from '../../storage/storage.js';

/** Of one archive's arrays: a ZIP file holds 4 GiB, and who has only a few items to look at loads one archive. */
const ARCHIVE_BYTES = 1024 ** 3;

interface Item {
  index: number;
  name: string;
}

/** Where the array of an item is: an archive below the output prefix, and its name in that. */
export interface Archived<T> {
  item: T;
  file: string;
  member: string;
}

export interface Archives<T> {
  /** Of all archives. */
  bytes: number;
  archived: Archived<T>[];
}

/**
 * Delivers arrays as `.npz` files, which `numpy.load` opens: ZIP files without compression of `.npy` files. Each is written whole or not at
 * all, piece by piece, and doing it again writes the same.
 * @param first the item that the first archive is called after; others are called after the first item in them.
 * @param items of one item list, in order.
 * @param read the arrays of items in order, as often as it is called.
 * @param most bytes of the arrays in one archive, unless a single one has more.
 */
export async function deliverArrays<T extends Item>(
  storage: Storage,
  place: OutputPlace,
  { first, items, most = ARCHIVE_BYTES }: { first: number; items: T[]; most?: number | undefined },
  read: (items: T[]) => AsyncIterable<{ item: T; bytes: Uint8Array }>,
): Promise<Archives<T>> {
  const members = memberNames(items);
  const archives: Archives<T> = { bytes: 0, archived: [] };
  for (let from = 0; from < items.length;) {
    const rest = items.slice(from);
    const file = `arrays/${itemName(from === 0 ? first : (rest[0]?.index ?? 0))}.npz`;
    let inside: Archived<T>[] = [];
    const content = async function* () {
      inside = [];
      let bytes = 0;
      for await (const { item, bytes: array } of read(rest)) {
        bytes += array.length;
        if (bytes > most && inside.length > 0) break;
        const member = members.get(item.index) ?? '';
        inside.push({ item, file, member });
        yield { name: member, bytes: array };
      }
    };
    archives.bytes += (await deliverStream(storage, place, file, () => writePack(content()))).bytes;
    archives.archived.push(...inside);
    from += inside.length;
  }
  return archives;
}

/** Items are called in archives as they are; those whose names cannot stand there by their numbers. */
function memberNames(items: Item[]): Map<number, string> {
  const taken = new Set(items.map(({ name }) => name));
  const memberOf = ({ index, name }: Item) => {
    if (mayBeNamed(`${name}.npy`)) return name;
    let number = itemName(index);
    while (taken.has(number)) number = `_${number}`;
    return number;
  };
  return new Map(items.map((item) => [item.index, `${memberOf(item)}.npy`]));
}
