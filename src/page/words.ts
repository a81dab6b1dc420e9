/** Numbers as people say them. */

const number = (value: number, most = 0) => value.toLocaleString('en', { maximumFractionDigits: most });

/** `1 frame`, `2,500 frames`. */
export const counted = (count: number, one: string, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** Names of containers of media that the user knows nothing of are left out: `coast.mp4` of `inbox/_uploads/abcdefgh/coast.mp4`. */
export const nameOf = (path: string) => /([^/]+)\/?$/.exec(path)?.[1] ?? path;

/** `8.2 a second`, `2.4 a minute`. */
export function rate(itemsPerSecond: number): string {
  if (itemsPerSecond >= 0.95) return `${number(itemsPerSecond, itemsPerSecond < 100 ? 1 : 0)} a second`;
  const perMinute = itemsPerSecond * 60;
  return perMinute >= 0.95 ? `${number(perMinute, 1)} a minute` : `${number(perMinute * 60, 1)} an hour`;
}

/** `45 s`, `3 min`, `2 h 5 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** `just now`, `45 s ago`, `3 days ago`. */
export function age(since: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - since) / 1000));
  if (seconds < 2) return 'just now';
  if (seconds < 90) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 36 ? `${counted(hours, 'hour')} ago` : `${counted(Math.round(hours / 24), 'day')} ago`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `823 kB`, `1.4 GB`. */
export function size(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${number(value, power > 0 && value < 10 ? 1 : 0)} ${UNITS[power]}`;
}

/** `0.004 USD`, `1.20 USD`, `about nothing`. */
export function price(usd: number): string {
  if (usd === 0) return 'free';
  if (usd < 0.001) return 'less than 0.001 USD';
  return `${usd < 0.1 ? usd.toPrecision(1) : usd.toFixed(2)} USD`;
}

/** `3-5 min` of two that are said alike, else `50 s to 3 min`. */
export function range(low: number, high: number, say: (value: number) => string): string {
  const [from, to] = [say(low), say(high)];
  if (from === to) return from;
  const [, first = '', unit = ''] = /^(\S+) (.+)$/.exec(from) ?? [];
  return to.endsWith(` ${unit}`) && /^\S+ \S+$/.test(from) && /^\S+ \S+$/.test(to)
    ? `${first}–${to}`
    : `${from} to ${to}`;
}

/** `3–5 min left`; rounded, so that it can be read. */
export function timeLeftInWords({ low, high }: { low: number; high: number }): string {
  if (high < 5) return 'a few seconds left';
  const step = high < 60 ? 5 : high < 90 ? 10 : high < 3600 ? 60 : 600;
  const from = Math.max(step === 5 ? 1 : step, Math.floor(low / step) * step);
  const to = Math.max(from, Math.ceil(high / step) * step);
  return `${range(from, to, duration)} left`;
}
