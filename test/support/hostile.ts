import { connect } from 'node:net';

/** Numbers from 0 to 1, the same for the same seed. */
export function createDice(seed: number) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (count: number) => Math.floor(next() * count);
  return {
    below,
    chance: (probability: number) => next() < probability,
    pick: <T>(items: readonly T[]): T => items[below(items.length)] as T,
  };
}
export type Dice = ReturnType<typeof createDice>;

// prettier-ignore
const TEXTS = [
  '', ' ', '.', '..', '../..', '/', '//', '\\', '..\\..', '\0', 'a\0b', '\r\nX-Injected: 1', '\u202e', 'é', 'e\u0301', '😀', '\ud800', '\udc00x', '\ufeff',
  '\uffff', '%', '%00', '%2f', '%2e%2e%2f', '%zz', '?', '#', '*', ':', '|', '"', "'", '`', '$(id)', '${7*7}', '{{7*7}}', '<img src=x onerror=alert(1)>',
  "' OR 1=1 --", '__proto__', 'constructor', 'toString', 'null', 'undefined', 'true', 'NaN', '-1', '0', '1e309', '9'.repeat(400), '0x10', '[object Object]',
  'inbox/', 'inbox/_uploads/', 'inbox/../models/m', 'outbox/a', 'models/a.onnx', 'styles/x', 'work-a/b', 'http://169.254.169.254/latest', 'file:///etc/passwd',
  'concat:a|b', 'data:text/plain,x', 'inbox/a.m3u8', 'a/'.repeat(200), 'x'.repeat(1025), 'y'.repeat(20_000), 'CON', 'none-abcd2345', '2026-11-27', 'inbox/a.mp4',
  'inbox/a\u0001.mp4', 'inbox/\ud800.mp4', 'inbox/a./b.mp4', `inbox/${'z'.repeat(1100)}.mp4`, `inbox/${'d/'.repeat(300)}a.mp4`, 'inbox/_READY', 'inbox//_READY',
];
const NUMBERS = [
  '-1',
  '0',
  '-0',
  '1.5',
  '1e308',
  '1e400',
  '9007199254740993',
  '1'.repeat(300),
  '4294967296',
  '0.1',
  '-1e-320',
];
const OTHERS = [
  'null',
  'true',
  'false',
  '[]',
  '{}',
  '[[[]]]',
  '{"":{}}',
  '{"__proto__":{"x":1}}',
  '{"toJSON":1,"then":2,"length":-1}',
];

export const hostileText = (dice: Dice): string =>
  dice.chance(0.2) ? dice.pick(TEXTS) + dice.pick(TEXTS) : dice.pick(TEXTS);

const nested = (dice: Dice): string => {
  const depth = dice.pick([50, 1000, 1900]);
  return dice.chance(0.5)
    ? '['.repeat(depth) + ']'.repeat(depth)
    : '{"a":'.repeat(depth / 3) + '1' + '}'.repeat(depth / 3);
};

/** JSON of some value that nobody expects. */
function hostileJson(dice: Dice): string {
  const kind = dice.below(10);
  if (kind < 5) return JSON.stringify(hostileText(dice));
  if (kind < 7) return dice.pick(NUMBERS);
  return kind < 9 ? dice.pick(OTHERS) : nested(dice);
}

/** JSON of a value, in which something here and there is other than it should be. */
export function mutatedJson(dice: Dice, value: unknown, rate: number): string {
  if (dice.chance(rate)) return hostileJson(dice);
  if (Array.isArray(value)) return `[${value.map((each) => mutatedJson(dice, each, rate)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).flatMap(([name, each]) => {
    const member = `${JSON.stringify(dice.chance(rate / 3) ? hostileText(dice) : name)}:${mutatedJson(dice, each, rate)}`;
    if (dice.chance(rate / 3)) return [];
    return dice.chance(rate / 3) ? [member, member] : [member];
  });
  return `{${members.join(',')}}`;
}

/** A body that may not even be JSON. */
export function mutatedBody(dice: Dice, value: unknown): Buffer {
  const text = mutatedJson(dice, value, dice.pick([0, 0.03, 0.1, 0.4]));
  const bytes = Buffer.from(text);
  const kind = dice.below(12);
  if (kind === 0) return bytes.subarray(0, dice.below(bytes.length + 1));
  if (kind === 1) return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
  if (kind === 2) return Buffer.from(Array.from({ length: dice.below(200) }, () => dice.below(256)));
  if (kind === 3) return Buffer.concat([bytes, Buffer.alloc(dice.pick([1, 5000]), dice.pick([' ', '\0', 'x']))]);
  return bytes;
}

export interface Sent {
  method: string;
  /** As it stands in the first line. */
  target: string;
  headers: [string, string][];
  body?: Buffer | undefined;
  /** Closes the connection before all of the body that was announced is there. */
  cut?: boolean;
}

export interface Answered {
  /** 0 when the connection was closed without an answer. */
  status: number;
  headers: string;
  body: string;
}

const MOST_MS = 30_000;

/** Sends bytes as they are, which no HTTP client would. @throws Error when there is no end of the answer within half a minute. */
export function sendRaw(base: string, { method, target, headers, body, cut = false }: Sent): Promise<Answered> {
  const { hostname, port, host } = new URL(base);
  const length = body && (cut ? body.length + 10 : body.length);
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...[['host', host], ['connection', 'close'], ...headers].map(([name, value]) => `${name}: ${value}`),
    ...(length === undefined ? [] : [`content-length: ${length}`]),
  ];
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`No answer to ${method} ${target.slice(0, 200)}`));
    }, MOST_MS);
    socket.on('data', (chunk) => chunks.push(chunk));
    // A server may close the connection before it has read all.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(parse(Buffer.concat(chunks).toString()));
    });
    socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body ?? Buffer.alloc(0)]));
    // Without a body, one that was announced never comes.
    if (cut || headers.some(([name]) => name === 'transfer-encoding')) socket.end();
  });
}

function parse(all: string): Answered {
  const text = all.replace(/^HTTP\/1\.1 100 [^\n]*\r\n\r\n/, '');
  const end = text.indexOf('\r\n\r\n');
  const headers = end < 0 ? text : text.slice(0, end);
  const rest = end < 0 ? '' : text.slice(end + 4);
  const isChunked = /^transfer-encoding: chunked/im.test(headers);
  const body = isChunked ? rest.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/gi, '').replace(/\r\n$/, '') : rest;
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), headers, body };
}
