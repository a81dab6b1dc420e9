import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import http, { type ClientRequest } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

interface Life {
  /** Requests that changed something and may still be answered. */
  effectsLeft: number;
  dead: boolean;
  die: () => void;
}

/** What a host leaves behind that died in the middle of an activity. */
export const CRASHED = Symbol('crashed');

const lives = new AsyncLocalStorage<Life>();
const spenders = new WeakMap<object, Life>();

const { request: send } = http;
// The channels of Node tell of a request when it is on its way already.
http.request = (...options: unknown[]) => {
  if (lives.getStore()?.dead === true) throw new Error('The host is dead.');
  return Reflect.apply(send, http, options) as ClientRequest;
};
syncBuiltinESMExports();

diagnostics.subscribe('http.client.request.start', (message) => {
  const { request } = message as { request: ClientRequest };
  const life = lives.getStore();
  if (life && request.method !== 'GET' && request.method !== 'HEAD') spenders.set(request, life);
});

diagnostics.subscribe('http.client.response.finish', (message) => {
  const { request } = message as { request: ClientRequest };
  const life = spenders.get(request);
  if (!life) return;
  life.effectsLeft -= 1;
  if (life.effectsLeft > 0) return;
  life.dead = true;
  life.die();
});

/**
 * Runs work as on a host that dies when so many of its requests have changed something: the last one did its work, its
 * answer is never read, and no further request leaves the host.
 * @returns the work's result, or `CRASHED`.
 */
export async function crashAfter<T>(effects: number, work: () => Promise<T>): Promise<T | typeof CRASHED> {
  let die: () => void = () => undefined;
  const death = new Promise<typeof CRASHED>((resolve) => {
    die = () => resolve(CRASHED);
  });
  const life = { effectsLeft: effects, dead: false, die };
  const running = lives.run(life, work);
  running.catch(() => undefined);
  return Promise.race([running, death]);
}
