import type { Answer, Request } from './http-server.js';

/** Tells whether the host lives, to anybody. */
export const PING_PATH = '/admin/host/ping';

const PAGE = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>devhost</title></head>
<body><h1>This Functions app is up and running.</h1><p>devhost serves it on this machine.</p></body></html>
`;

/** What the host says of itself, where the real host does too. */
export function hostPage({ method, url: { pathname } }: Request): Answer | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  if (pathname === '/') return { status: 200, headers: { 'content-type': 'text/html' }, body: PAGE };
  if (pathname === PING_PATH)
    return { status: 200, headers: { 'cache-control': 'no-store,no-cache', pragma: 'no-cache' } };
  if (pathname !== '/admin/host/status') return undefined;
  const uptime = Math.round(process.uptime() * 1000);
  const body = { id: 'devhost', state: 'Running', version: '4.0.0.0', processUptime: uptime };
  const headers = { 'content-type': 'application/json; charset=utf-8' };
  return { status: 200, headers, body: JSON.stringify(body) };
}
