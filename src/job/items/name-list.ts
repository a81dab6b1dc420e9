import { isUnusableName } from './blob-names.js';
import { JobError } from '../failure.js';

/** Lines of a list of images at most, and bytes of one. */
const MOST_LINES = 1_000_000;
const LONGEST_LINE = 16_384;

/** Whether the lines of a list are JSON objects, as those of `failed-items.jsonl`: its name tells. */
export const isJsonList = (name: string) => /\.(jsonl|ndjson)$/i.test(name);

/**
 * The names in a list, in its order: a line each, or the property `name` of a JSON object each. Empty lines do not count.
 * @param list what it is called in sentences.
 * @throws JobError `user` that names the first line that is wrong; names reach nothing but what is below the folder.
 */
export async function* readNames(
  list: string,
  chunks: AsyncIterable<Uint8Array>,
  { isJson }: { isJson: boolean },
): AsyncGenerator<string> {
  const wrong = (number: number, what: string) => new JobError('user', `Line ${number} of the list ${list} ${what}.`);
  let number = 0;
  for await (const line of linesOf(list, chunks)) {
    number += 1;
    if (number > MOST_LINES) throw new JobError('user', `The list ${list} has more than ${MOST_LINES} lines.`);
    if (line.trim() === '') continue;
    const name = isJson ? nameIn(line) : line;
    if (name === undefined) throw wrong(number, 'is no JSON object with the property "name"');
    if (isUnusableName(name)) throw wrong(number, 'is not the name of an image below the folder');
    yield name;
  }
}

function nameIn(line: string): string | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isNamed = typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string';
    return isNamed ? (value.name as string) : undefined;
  } catch {
    return undefined;
  }
}

async function* linesOf(list: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch (cause) {
      throw new JobError('user', `The list ${list} is not UTF-8 text.`, { cause });
    }
  };
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decode(chunk)).split(/\r?\n/);
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) throw new JobError('user', `The list ${list} has a line that is too long.`);
    yield* lines;
  }
  rest += decode();
  if (rest !== '') yield rest.replace(/\r$/, '');
}

/**
 * Names outputs after inputs that come in any order: `nested/a.jpg` → `nested/a`; the second of those that differ only in their ending keeps
 * its full name, so no two are the same. Remembers 8 bytes of each name.
 * @returns undefined for a name that came before.
 */
export function createListedOutputs(hash: (name: string) => bigint): (name: string) => string | undefined {
  const [names, outputs] = [new Hashes(), new Hashes()];
  return (name) => {
    if (!names.add(hash(name))) return undefined;
    const short = name.replace(/\.[^./]*$/, '');
    if (short !== '' && !short.endsWith('/') && outputs.add(hash(short))) return short;
    for (let output = name; ; output = `${output}_`) if (outputs.add(hash(output))) return output;
  };
}

/** A set of numbers of 64 bits that takes 16 bytes for each at most. */
class Hashes {
  #slots = new BigUint64Array(1024);
  #size = 0;

  /** Whether it was new. */
  add(hash: bigint): boolean {
    if (2 * this.#size >= this.#slots.length) this.#grow();
    return this.#put(hash === 0n ? 1n : hash);
  }

  #put(hash: bigint): boolean {
    const mask = this.#slots.length - 1;
    for (let at = Number(hash & 0xffffffffn) & mask; ; at = (at + 1) & mask) {
      if (this.#slots[at] === hash) return false;
      if (this.#slots[at] !== 0n) continue;
      this.#slots[at] = hash;
      this.#size += 1;
      return true;
    }
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new BigUint64Array(2 * before.length);
    this.#size = 0;
    for (const hash of before) if (hash !== 0n) this.#put(hash);
  }
}
