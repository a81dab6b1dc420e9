import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { messageOf } from '../job/failure.js';
import { answerErrors, refuse } from './http.js';

const INDEX = 'index.html';
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
/** In the order in which they are preferred; the build puts a file with each ending beside each file. */
const ENCODINGS = { br: '.br', gzip: '.gz' } as const;
type Encoding = keyof typeof ENCODINGS;

interface PageFile {
  bytes: Buffer;
  encoded: Map<Encoding, Buffer>;
  headers: Record<string, string>;
  etag: string;
}

/**
 * The web page, which anybody may load: it holds no secret, and asks for what it shows with the key of whoever looks at it. Answers with
 * the files of the build alone, which it has read once.
 * @param folder where the build has put them.
 * @param storageOrigins where the files of jobs are: the page may show them, and upload there.
 * @param letIn has storage answer pages of an origin.
 */
export function createPage({
  folder,
  storageOrigins,
  letIn,
}: {
  folder: string;
  storageOrigins: string[];
  letIn: (origin: string) => Promise<void>;
}) {
  const files = readFiles(folder, policyOf(storageOrigins));
  return answerErrors(async (request, context): Promise<HttpResponseInit> => {
    const { pathname, origin } = new URL(request.url);
    const { file: name = '' } = request.params;
    if (name === '' && !pathname.endsWith('/')) return { status: 308, headers: { location: `${pathname}/` } };
    const file = files.get(name === '' ? INDEX : name);
    if (!file) return refuse(404, name === '' ? NOT_BUILT : nothingAt(name));
    // Without it the page shows all but what it would read from storage by script, and cannot upload.
    if (name === '') await letIn(origin).catch((error: unknown) => context.warn(messageOf(error)));
    const { etag, headers, bytes, encoded } = file;
    if (isKnown(request, etag)) return { status: 304, headers: { ...headers, etag } };
    const encoding = [...encoded.keys()].find((each) => accepts(request, each));
    const told: Record<string, string> = encoding === undefined ? {} : { 'content-encoding': encoding };
    const body = encoding === undefined ? bytes : encoded.get(encoding);
    return { status: 200, headers: { ...headers, ...told, etag }, body };
  });
}

const NOT_BUILT = 'The page of this app was not built; run "npm run build", and start the app again.';
const nothingAt = (name: string) =>
  `There is nothing at "${name.slice(0, 100)}"; docs/api.md lists the routes, and the page is at the root of them.`;

function readFiles(folder: string, policy: string): Map<string, PageFile> {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const read = (name: string) => readFileSync(path.join(folder, name));
  return new Map(
    names.flatMap((name): [string, PageFile][] => {
      const { [path.extname(name)]: type } = TYPES;
      if (type === undefined) return [];
      const bytes = read(name);
      const encoded = Object.entries(ENCODINGS)
        .filter(([, ending]) => names.includes(name + ending))
        .map(([encoding, ending]): [Encoding, Buffer] => [encoding as Encoding, read(name + ending)]);
      // The same for all encodings: weak.
      const etag = `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
      const own = name === INDEX ? { ...DOCUMENT, 'content-security-policy': policy } : KEPT;
      const headers = { 'content-type': `${type}; charset=utf-8`, ...EVERY, ...own };
      return [[name, { bytes, encoded: new Map(encoded), headers, etag }]];
    }),
  );
}

const EVERY = { vary: 'accept-encoding', 'x-content-type-options': 'nosniff' };
/** Of the files whose names have a hash of their content. */
const KEPT = { 'cache-control': 'public, max-age=31536000, immutable' };
const DOCUMENT = {
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
};

function policyOf(origins: string[]): string {
  const storage = origins.map((origin) => ` ${origin}`).join('');
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self' blob: data:${storage}`,
    `media-src 'self' blob:${storage}`,
    `connect-src 'self'${storage}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** RFC 9110, 13.1.2: the comparison is the weak one. */
function isKnown({ headers }: HttpRequest, etag: string): boolean {
  const strong = (text: string) => text.trim().replace(/^W\//, '');
  const known = (headers.get('if-none-match') ?? '').split(',').map(strong);
  return known.includes(strong(etag)) || known.includes('*');
}

/** RFC 9110, 12.5.3, but for "*": whoever has it means no encoding in particular. */
const accepts = ({ headers }: HttpRequest, encoding: Encoding): boolean =>
  (headers.get('accept-encoding') ?? '')
    .toLowerCase()
    .split(',')
    .map((each) => each.split(';').map((part) => part.trim()))
    .some(([name, weight = '']) => name === encoding && !/^q=0(?:\.0*)?$/.test(weight));
