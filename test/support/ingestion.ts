import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';

/** What Application Insights is sent, as far as tests look at it. */
export interface Envelope {
  name: string;
  time: string;
  iKey: string;
  sampleRate: number;
  tags: Record<string, string>;
  data: {
    baseType: 'RequestData' | 'RemoteDependencyData' | 'EventData';
    baseData: {
      id?: string;
      name: string;
      properties: Record<string, string>;
      measurements?: Record<string, number>;
      duration?: string;
      success?: boolean;
      responseCode?: string;
      resultCode?: string;
      type?: string;
    };
  };
}

export interface Post {
  path: string;
  headers: http.IncomingHttpHeaders;
  envelopes: Envelope[];
}

type Reply = (post: Post, response: http.ServerResponse, ingestion: Ingestion) => unknown;

const said = (post: Post, accepted: number, errors: object[] = []) =>
  JSON.stringify({ itemsReceived: post.envelopes.length, itemsAccepted: accepted, errors });

const refuse =
  (status: number, body = '', headers: http.OutgoingHttpHeaders = {}): Reply =>
  (_, response) =>
    response.writeHead(status, headers).end(body);

const accept: Reply = (post, response, ingestion) => {
  ingestion.accepted.push(...post.envelopes);
  response.writeHead(200).end(said(post, post.envelopes.length));
};

/** Takes all but the first record, and says so with this status. */
const partly =
  (statusCode: number): Reply =>
  (post, response, ingestion) => {
    const [, ...taken] = post.envelopes;
    ingestion.accepted.push(...taken);
    response.writeHead(206).end(said(post, taken.length, [{ index: 0, statusCode, message: 'not this one' }]));
  };

/** How an endpoint can answer. */
export const REPLIES = {
  ok: accept,
  'after ten seconds': async (post, response, ingestion) => {
    await pause(10_000, undefined, { ref: false });
    accept(post, response, ingestion);
  },
  never: () => undefined,
  '429 with Retry-After': (post, response) =>
    response.writeHead(429, { 'retry-after': '0.2' }).end(
      said(
        post,
        0,
        post.envelopes.map((_, index) => ({ index, statusCode: 429 })),
      ),
    ),
  '429 for a minute': refuse(429, '', { 'retry-after': '60' }),
  '429 without a word of JSON': refuse(429, 'Too many requests'),
  '500': refuse(500, 'oops'),
  '206 with one to send again': partly(500),
  '206 with one refused for good': partly(400),
  '206 that breaks off': (post, response) => response.writeHead(206).end(said(post, 0).slice(0, 20)),
  'reset in the middle': (_, response) =>
    response.writeHead(200, { 'content-length': 100 }).write('{"items', () => response.destroy()),
  '401': refuse(401, 'no'),
  '400': refuse(
    400,
    '{"itemsReceived":1,"itemsAccepted":0,"errors":[{"index":0,"statusCode":400,"message":"Invalid key"}]}',
  ),
  '402': refuse(402),
  'a page of a proxy': refuse(200, '<html>Please log in</html>', { 'content-type': 'text/html' }),
  'a redirect to a neighbour': (_, response) => response.writeHead(308, { location: '/elsewhere/v2.1/track' }).end(),
  'a redirect to a stranger': refuse(308, '', { location: 'http://localhost:9/v2.1/track' }),
} satisfies Record<string, Reply>;
export type ReplyName = keyof typeof REPLIES;

/** An endpoint of Application Insights on this machine. */
export interface Ingestion {
  connectionString: string;
  posts: Post[];
  /** What it has taken, in the order of arrival; what was sent twice is here twice. */
  accepted: Envelope[];
  /** Answers the next posts in these ways, one each, and all later ones in the last. */
  reply: (...names: ReplyName[]) => void;
  /** Refuses connections from now on, and takes them again. */
  down: () => Promise<void>;
  up: () => Promise<void>;
  stop: () => Promise<void>;
}

export const INSTRUMENTATION_KEY = '11111111-2222-3333-4444-555555555555';

export async function startIngestion(): Promise<Ingestion> {
  let replies: ReplyName[] = ['ok'];
  const server = http.createServer((request, response) => {
    void buffer(request).then((body) => {
      const post = { path: request.url ?? '', headers: request.headers, envelopes: read(body, request.headers) };
      ingestion.posts.push(post);
      // An endpoint in another place is another endpoint.
      const name = post.path.startsWith('/elsewhere') ? 'ok' : replies[0];
      if (replies.length > 1) replies = replies.slice(1);
      return REPLIES[name ?? 'ok'](post, response, ingestion);
    });
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const down = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const ingestion: Ingestion = {
    connectionString: `InstrumentationKey=${INSTRUMENTATION_KEY};IngestionEndpoint=http://127.0.0.1:${port}/`,
    posts: [],
    accepted: [],
    reply: (...names) => {
      replies = names;
    },
    down,
    up: () => listen(port),
    stop: down,
  };
  return ingestion;
}

/** Envelopes in one line each or in a list, packed or not. */
function read(body: Buffer, headers: http.IncomingHttpHeaders): Envelope[] {
  const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
  const lines = text.startsWith('[') ? [text.slice(1, -1)] : text.split('\n');
  return JSON.parse(`[${lines.join(',')}]`) as Envelope[];
}
