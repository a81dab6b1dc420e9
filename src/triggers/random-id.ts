import { randomBytes } from 'node:crypto';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';

/** 8 lower-case letters and digits, 40 random bits: nobody comes upon another's job or upload by trying. */
export function randomId(): string {
  return Array.from(randomBytes(8), (byte) => LETTERS[byte % LETTERS.length]).join('');
}
