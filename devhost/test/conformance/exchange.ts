/** A request of a client, as recorded or as a scenario says it. */
export interface Request {
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** What a host answered, with whatever differs from run to run replaced by names in braces. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

const MANAGEMENT = /^\/(?:runtime|admin)\//;

/** A host that asks for keys. */
export interface AskedHost {
  url: string;
  hub: string;
  /** Opens the management API. */
  key: string;
}

/** Learns the key from the app, whose function `binding` tells what a client of durable functions is given. */
export async function askedHost({ url, hub }: { url: string; hub: string }): Promise<AskedHost> {
  const response = await fetch(`${url}/api/binding`);
  const { raw } = (await response.json()) as { raw: { requiredQueryStringParameters: string } };
  return { url, hub, key: raw.requiredQueryStringParameters.replace('code=', '') };
}

/** Asks a host as the recorder asked both: JSON unless the request says otherwise, with the key that management wants. */
export async function ask(
  host: Pick<AskedHost, 'url' | 'key'>,
  { method, path, body, headers = {} }: Request,
): Promise<Response> {
  const withKey = MANAGEMENT.test(path) && !path.includes('nokey');
  const url = `${host.url}${path}${withKey ? `${path.includes('?') ? '&' : '?'}code=${host.key}` : ''}`;
  const init: RequestInit = { method, headers: { ...headers }, redirect: 'manual' };
  if (body !== undefined && body !== null) {
    init.body = typeof body === 'string' ? body : JSON.stringify(body);
    init.headers = { 'content-type': 'application/json', ...headers };
  }
  return await fetch(url, init);
}

/** Asks and masks. */
export async function observe(host: AskedHost, request: Request): Promise<Answer> {
  const response = await ask(host, request);
  const headers = Object.fromEntries(response.headers);
  const body = valueOf(await response.text());
  return masked({ status: response.status, headers, body }, [
    [host.url, '{ORIGIN}'],
    [host.url.replace('localhost', '127.0.0.1'), '{ORIGIN}'],
    [new URL(host.url).host, '{HOST}'],
    [host.key, '{KEY}'],
    [host.hub, '{HUB}'],
  ]);
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const FRAME = /(?:(?:\n|\\+n) {3,}| {3})at (?:(?!\\+n|\n|\\*").)*/g;

/**
 * Everything that is another one in every run: times of today, ids, and the frames of stack traces. A time of whole seconds, one with
 * fractions and one with an offset stay three different things.
 */
const PATTERNS: [RegExp, string][] = [
  [/2026-01-02T|1970-01-01T|20[09]\d-01-01T/g, '$&!'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, '{TIME}'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00/g, '{TIME+00:00}'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '{SECOND}'],
  [/(?<=\d-\d\dT)!/g, ''],
  [/\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/g, '{GUID}'],
  [/\b[0-9a-f]{32}\b/g, '{ID}'],
  [FRAME, ''],
  [/http:\/\/[\w.:]+\/devstoreaccount1\/\w+-largemessages/g, '{LARGE}'],
  [/-[0-9A-F]{8}-(?=\w+\.json\.gz)/g, '-{HEX}-'],
];

/** Puts names for what differs by chance; `known` are texts of the host that answered. */
export function masked(answer: Answer, known: [string, string][]): Answer {
  return mapTexts(answer, (text) => {
    const named = known.reduce((each, [from, to]) => each.replaceAll(from, to), text);
    return PATTERNS.reduce((each, [from, to]) => each.replaceAll(from, to), named);
  }) as Answer;
}

function mapTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((each) => mapTexts(each, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapTexts(each, change)]));
}
