import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { afterAll, beforeAll } from 'vitest';

export interface Registry {
  /** Host and port, as they stand in an image's name. */
  host: string;
  /** Name of an image in it. */
  image(name: string): string;
}

/** An image registry on this machine for all tests of a file; unless told otherwise it has every image with the tag 1. */
export function useRegistry(answer: RequestListener = answerTagged): Registry {
  const registry: Registry = { host: '', image: (name) => `${registry.host}/${name}` };
  const server = createServer(answer);
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    registry.host = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  });
  afterAll(() => void server.close());
  return registry;
}

const answerTagged: RequestListener = ({ url }, response) => {
  response.writeHead(url?.endsWith('/manifests/1') === true ? 200 : 404);
  response.end();
};
