/**
 * Stretches a delay by up to a quarter, so that what failed together does not come back together. The same text gives the
 * same stretch in every replay: orchestrators know no chance.
 * @param text tells those apart that wait, and one wait from the next.
 */
export function withJitter(seconds: number, text: string): number {
  return seconds * (1 + 0.25 * fraction(text));
}

/** From 0 up to 1: the 32-bit FNV-1a hash of the text, mixed once more since its upper bits lag behind the last letters. */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}
