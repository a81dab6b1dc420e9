import { counted, hideSecrets } from '../failure.js';
import type { OtherKind } from './formats.js';

const EXAMPLES = 3;
const LONGEST_EXAMPLE = 80;

/** What is no picture of a folder for where it lies or what it is called. */
export const HIDDEN_PICTURE: OtherKind = {
  one: 'a hidden picture',
  noun: 'hidden picture',
  advice: 'rename it without the dot to have it scored',
};
export const HIDDEN_FOLDER: OtherKind = {
  one: 'a hidden folder',
  noun: 'hidden folder',
  advice: 'rename it without the dot to have what is in it scored',
};
export const LINKED_FOLDER: OtherKind = {
  one: 'a link to a folder',
  noun: 'linked folder',
  advice: 'copy it into this folder to have what is in it scored',
};
export const BROKEN_LINK: OtherKind = { one: 'a broken link', noun: 'broken link', advice: 'mend or remove it' };

interface Files {
  count: number;
  examples: string[];
}

/** What of an image folder is no item, by what it is. */
export class LeftOut {
  readonly #kinds = new Map<OtherKind, Files>();
  readonly #others: Files = { count: 0, examples: [] };

  /** @param kind what it is, where something can be done about it. */
  add(name: string, kind: OtherKind | undefined): void {
    const files = kind === undefined ? this.#others : (this.#kinds.get(kind) ?? { count: 0, examples: [] });
    if (kind !== undefined) this.#kinds.set(kind, files);
    files.count += 1;
    if (files.examples.length < EXAMPLES) files.examples.push(hideSecrets(name).slice(0, LONGEST_EXAMPLE));
  }

  /** A sentence for each kind: how many were left out, which, and what to do with them. */
  warnings(): string[] {
    const known = [...this.#kinds].map(([kind, files]) => {
      const { count } = files;
      return `${counted(count, kind.noun)} ${count === 1 ? 'is' : 'are'} left out (${named(files)}): ${adviceFor(kind, count)}.`;
    });
    const { count } = this.#others;
    if (count === 0) return known;
    const what = count === 1 ? '1 file is not an image and is' : `${count} files are not images and are`;
    return [...known, `${what} left out: ${named(this.#others)}.`];
  }

  /** What a folder without pictures holds, and what to do with it: `3 HEIC files (convert them to JPEG or PNG first)`. */
  summary(): string {
    const known = [...this.#kinds].map(
      ([kind, { count }]) => `${counted(count, kind.noun)} (${adviceFor(kind, count)})`,
    );
    const { count } = this.#others;
    const others = count === 0 ? [] : [count === 1 ? 'one file of another kind' : `${count} files of other kinds`];
    return [...known, ...others].join(', ') || 'nothing';
  }
}

const named = ({ count, examples }: Files) => `${examples.join(', ')}${count > examples.length ? ', …' : ''}`;

function adviceFor({ advice }: OtherKind, count: number): string {
  return count === 1 ? advice : advice.replaceAll(/\bit\b/g, 'them').replaceAll(/\bits\b/g, 'their');
}
