/** Where the page is: what stands behind "#" in its address. */
export type Route =
  { view: 'jobs' } | { view: 'start' } | { view: 'job'; id: string; batch?: number } | { view: 'nowhere' };

/** @param hash as in `#/jobs/abc/batches/3`. */
export function readRoute(hash: string): Route {
  const parts = hash.replace(/^#?\/?/, '').split('/');
  if (parts.at(-1) === '') parts.pop();
  const [room, id, below, number, ...rest] = parts.map(unescaped);
  if (rest.length > 0) return { view: 'nowhere' };
  if (room === undefined || (room === 'jobs' && id === undefined)) return { view: 'jobs' };
  if (room === 'start' && id === undefined) return { view: 'start' };
  if (room !== 'jobs' || id === undefined) return { view: 'nowhere' };
  if (below === undefined) return { view: 'job', id };
  const isBatch = below === 'batches' && number !== undefined && /^\d{1,9}$/.test(number);
  return isBatch ? { view: 'job', id, batch: Number(number) } : { view: 'nowhere' };
}

export function hrefOf(route: Exclude<Route, { view: 'nowhere' }>): string {
  if (route.view !== 'job') return `#/${route.view}`;
  const job = `#/jobs/${encodeURIComponent(route.id)}`;
  return route.batch === undefined ? job : `${job}/batches/${route.batch}`;
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
