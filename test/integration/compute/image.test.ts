import { describe, expect, test } from 'vitest';
import { checkImage, parseImage } from '../../../src/compute/azure/image.js';
import { useRegistry } from '../../support/registry.js';

/** It has `open:1` for everybody, `public:1` for who fetched a token, and `private:1` for nobody. */
const registry = useRegistry((request, response) => {
  const url = new URL(request.url ?? '', `http://${registry.host}`);
  const scope = url.pathname.includes('throttled') ? 'throttled' : 'public';
  const challenge = `Bearer realm="http://${registry.host}/token",service="test",scope="repository:${scope}:pull"`;
  if (url.pathname === '/token' && url.searchParams.get('scope')?.includes('throttled')) {
    response.writeHead(429).end();
    return;
  }
  if (url.pathname === '/token') {
    response.end(JSON.stringify({ token: `${url.searchParams.get('service')} ${url.searchParams.get('scope')}` }));
    return;
  }
  const [, repository, reference] = /^\/v2\/(.*)\/manifests\/(.*)$/.exec(url.pathname) ?? [];
  const known = request.headers.authorization === 'Bearer test repository:public:pull';
  const status =
    repository === 'busy'
      ? 503
      : repository === 'open' || (repository === 'public' && known)
        ? reference === '1'
          ? 200
          : 404
        : 401;
  response.writeHead(status, status === 401 ? { 'www-authenticate': challenge } : {});
  response.end();
});

const check = (image: string, identity = false) => checkImage(registry.image(image), 'ACI_IMAGE', identity);

describe('an image', () => {
  test.each(['open:1', 'public:1'])('%s that everybody may pull passes', async (image) => {
    expect(await check(image)).toBeUndefined();
  });

  test('whose tag the registry does not have is refused by name', async () => {
    await expect(check('public:2')).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringMatching(/has no image public .*2; .*ACI_IMAGE/) as string,
    });
  });

  test('that wants a login is refused, unless Azure pulls it with an identity', async () => {
    await expect(check('private:1')).rejects.toThrow(/name an identity that may pull it/);
    expect(await check('private:1', true)).toBeUndefined();
  });

  test('whose registry is away or busy is only warned of', async () => {
    expect(await check('busy:1')).toMatch(/could not check .* 503/);
    expect(await check('throttled:1')).toMatch(/could not check .* 429/);
    expect(await checkImage('127.0.0.1:9/open:1', 'ACI_IMAGE', false)).toMatch(/did not reach/);
  });

  test.each([
    ['debian', 'https://registry-1.docker.io', 'library/debian', 'latest'],
    ['me/scorer:2', 'https://registry-1.docker.io', 'me/scorer', '2'],
    ['example.azurecr.io/team/scorer:1.0', 'https://example.azurecr.io', 'team/scorer', '1.0'],
    ['localhost:5000/scorer@sha256:ab', 'http://localhost:5000', 'scorer', 'sha256:ab'],
    ['ghcr.io/me/scorer:1@sha256:ab', 'https://ghcr.io', 'me/scorer', 'sha256:ab'],
  ])('%s is looked for where container tools would', (image, origin, repository, reference) => {
    expect(parseImage(image)).toMatchObject({ origin, repository, reference });
  });
});
