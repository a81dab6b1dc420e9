/** A number and the word for what it counts: `1 frame`, `2 frames`, `2 batches`. */
export function counted(count: number, one: string): string {
  if (count === 1) return `1 ${one}`;
  return `${count} ${one}${/(s|ch)$/.test(one) ? 'es' : 's'}`;
}
