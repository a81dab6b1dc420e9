import { HttpRequest, InvocationContext } from '@azure/functions';
import { describe, expect, test } from 'vitest';
import { type Caller, type CallerSettings, createCallers } from '../../../src/triggers/callers.js';
import type { Storage } from '../../../src/storage/storage.js';

const context = new InvocationContext({ logHandler: () => undefined });
const SALT = 'c2FsdA==';
const KEEP_APART: CallerSettings = { authentication: 'keys', ownership: true, operators: [] };

/** Who the app takes the sender of a request for. */
async function callerOf(
  sent: { headers?: [string, string][]; query?: string },
  settings: Partial<CallerSettings> = {},
  salt = SALT,
): Promise<{ status: number; caller?: Caller }> {
  let caller: Caller | undefined;
  const callers = createCallers({} as Storage, { ...KEEP_APART, ...settings }, () => Promise.resolve(salt));
  const handle = callers.known((_, __, found) => {
    caller = found;
    return Promise.resolve({ status: 200 });
  });
  const headers = new Headers(sent.headers ?? []);
  const query = Object.fromEntries(new URLSearchParams(sent.query ?? ''));
  const url = `http://app/api/jobs?${sent.query ?? ''}`;
  const request = new HttpRequest({ method: 'GET', url, headers: Object.fromEntries(headers), query });
  const { status = 200 } = await handle(request, context);
  return { status, ...(caller && { caller }) };
}
const idOf = async (...sent: Parameters<typeof callerOf>) => (await callerOf(...sent)).caller?.id;
const KEY = 'x-functions-key';

describe('a caller with a function key', () => {
  test('is the same with the same key, wherever that stands, and another with another', async () => {
    const mine = await idOf({ headers: [[KEY, 'first']] });
    expect(mine).toMatch(/^key-[0-9a-f]{24}$/);
    expect(await idOf({ query: 'code=first' })).toBe(mine);
    expect(await idOf({ query: 'CODE=first' })).toBe(mine);
    expect(await idOf({ headers: [[KEY, 'second']] })).not.toBe(mine);
  });

  test('does not become another by sending more keys: the host looks at the first one', async () => {
    const mine = await idOf({ headers: [[KEY, 'first']] });
    expect(
      await idOf({
        headers: [
          [KEY, 'first'],
          [KEY, 'anything'],
        ],
      }),
    ).toBe(mine);
    expect(await idOf({ headers: [[KEY, 'first']], query: 'code=second' })).toBe(mine);
    expect(await idOf({ query: 'code=first,second' })).toBe(mine);
  });

  test('does not become another by what only the platform’s authentication may say', async () => {
    const said: [string, string][] = [
      ['x-ms-client-principal-id', 'f00d'],
      ['x-ms-client-principal-idp', 'aad'],
    ];
    expect(await idOf({ headers: [[KEY, 'first'], ...said] })).toBe(await idOf({ headers: [[KEY, 'first']] }));
    expect(await idOf({ headers: said })).toBe('nobody');
  });

  test('has an id from which nobody finds the key without the app’s salt', async () => {
    const mine = await idOf({ headers: [[KEY, 'first']] });
    expect(mine).not.toContain('first');
    expect(await idOf({ headers: [[KEY, 'first']] }, {}, 'b3RoZXI=')).not.toBe(mine);
  });

  test('sees its own jobs alone where callers are kept apart, and all as an operator', async () => {
    const sent = { headers: [[KEY, 'first']] as [string, string][] };
    const id = (await idOf(sent)) ?? '';
    expect((await callerOf(sent)).caller?.sees).toBe('own');
    expect((await callerOf(sent, { operators: [id] })).caller?.sees).toBe('all');
    expect((await callerOf(sent, { ownership: false })).caller?.sees).toBe('all');
  });
});

describe('a caller by Entra ID', () => {
  const entra: Partial<CallerSettings> = { authentication: 'entra' };
  const said = (id: string, idp = 'aad') => ({
    headers: [
      ['x-ms-client-principal-id', id],
      ['x-ms-client-principal-idp', idp],
    ] as [string, string][],
  });

  test('is who App Service says, whatever keys it sends', async () => {
    expect(await idOf(said('0000-BEEF'), entra)).toBe('user-0000-beef');
    expect(await idOf({ headers: [...said('beef').headers, [KEY, 'first']] }, entra)).toBe('user-beef');
  });

  test.each<[string, Parameters<typeof callerOf>[0]]>([
    ['nobody has vouched for', {}],
    ['has a key alone', { headers: [[KEY, 'first']] }],
    ['another provider has vouched for', said('beef', 'github')],
    ['has an id that is none', said('../beef')],
  ])('is refused when it %s', async (_, sent) => {
    expect(await callerOf(sent, entra)).toEqual({ status: 401 });
  });

  test('is refused by the functions of jobs, too, although callers share these', async () => {
    const callers = createCallers({} as Storage, { ...KEEP_APART, ...entra, ownership: false }, () =>
      Promise.resolve(SALT),
    );
    const request = new HttpRequest({ method: 'GET', url: 'http://app/api/jobs/a', params: { id: 'coast-k3v9q2xa' } });
    const handle = () => Promise.resolve({ status: 200 });
    for (const guarded of [callers.ofJob(handle), callers.ofAll(handle)])
      expect(await guarded(request, context)).toMatchObject({ status: 401 });
  });
});
