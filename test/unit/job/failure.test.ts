import { describe, expect, test } from 'vitest';
import { counted, fewWarnings, hideSecrets, jsonBytes, messageOf, shorten } from '../../../src/job/failure.js';

test.each([
  [1, 'batch', '1 batch'],
  [0, 'frame', '0 frames'],
  [2, 'batch', '2 batches'],
  [3, 'class', '3 classes'],
  [0.5, 'core', '0.5 cores'],
])('%d of "%s" reads "%s"', (count, one, text) => {
  expect(counted(count, one)).toBe(text);
});

describe('a sentence for a history', () => {
  test('is what it is when it is short', () => {
    expect(shorten('Name another file.')).toBe('Name another file.');
    expect(shorten('m'.repeat(800))).toBe('m'.repeat(800));
  });

  test.each(['a'.repeat(5000), '海'.repeat(2000), '😀'.repeat(2000), '\u0001"\\'.repeat(700), '\ud83d'.repeat(900)])(
    'loses its middle when it is long, and no half of a letter, %#',
    (long) => {
      const short = shorten(`What is wrong: ${long}. What to do.`);
      expect(short).toMatch(/^What is wrong: [^]*…[^]*\. What to do\.$/);
      expect(jsonBytes(short)).toBeLessThanOrEqual(802);
      expect(jsonBytes(short)).toBeGreaterThan(780);
      if (Buffer.from(long).toString() === long) expect(Buffer.from(short).toString()).toBe(short);
    },
  );
});

describe('warnings for a history', () => {
  test('are all there when they are few', () => {
    expect(fewWarnings(['one', 'two'])).toEqual(['one', 'two']);
  });

  test('are the first ones and how many more there are', () => {
    const many = Array.from({ length: 40 }, (_, k) => `${k} ${'海'.repeat(100)}`);
    const few = fewWarnings(many);
    expect(few.slice(0, -1)).toEqual(many.slice(0, few.length - 1));
    expect(few.at(-1)).toBe(`There are ${41 - few.length} more warnings.`);
    expect(jsonBytes(few)).toBeLessThanOrEqual(1500);
    expect(fewWarnings(['海'.repeat(3000)]).join()).toMatch(/^海+…海+$/);
    expect(fewWarnings(many, 20)).toEqual([]);
  });
});

test('a name that is quoted steers no terminal and turns no text around, in sentences and in warnings', () => {
  const evil = 'Ev\u001b]0;title\u0007\u009b31m\u202egnp.\u2066il';
  const steers = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;
  expect(messageOf(new Error(`The operator ${evil} is unknown.`))).not.toMatch(steers);
  expect(fewWarnings([`The output ${evil} is odd.`]).join('')).not.toMatch(steers);
  expect(messageOf('Größe 10 % שלום \u200f 海')).toBe('Größe 10 % שלום \u200f 海');
});

describe('a secret in a sentence', () => {
  test.each([
    ['https://a.blob.core.windows.net/inbox/x.mp4?sv=1&sig=aB%2Bc%3D&se=2', 'aB%2Bc'],
    ['sig=abc123', 'abc123'],
    ['see <https://x/y?sig=abc123> there', 'abc123'],
    ['?next=https%3A%2F%2Fa%2Fb%3Fsv%3D1%26sig%3Dabc123', 'abc123'],
    ['DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zm9v+/==;EndpointSuffix=x', 'Zm9v'],
    ['InstrumentationKey=1234-5678;IngestionEndpoint=https://x', '1234-5678'],
    ['Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=abc123=', 'abc123'],
    ['POST https://app/api/jobs?code=abc123==', 'abc123'],
    ['x-functions-key: abc123==', 'abc123'],
    ['{"Authorization":"Bearer abc123"}', 'abc123'],
    ['with Bearer 0123456789abcdef0123', '0123456789'],
    ['token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'eyJhbGci'],
    ['https://user:pa55word@registry.example/x', 'pa55word'],
    ['password=hunter2 is wrong', 'hunter2'],
    ['{"AccountKey":"abc123=="}', 'abc123'],
    ['SCORER_KEY=abc123= SCORER_SEALED=abc123', 'abc123'],
    ['key Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw== is wrong', 'Eby8'],
    ['signature Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE= did not match', 'Zm9v'],
  ])('is hidden: %s', (text, secret) => {
    expect(hideSecrets(text)).not.toContain(secret);
    expect(hideSecrets(text)).not.toMatch(/sig=|sig%3D|AccountKey|InstrumentationKey/);
    expect(messageOf(new Error(text))).not.toContain(secret);
  });

  test.each([
    'There is no blob inbox/design=1.mp4.',
    'the scorer ended with exit code 137',
    'exit code=3 of ffmpeg',
    'error code: 404',
    'https://example.com/a?b=c&d=e',
    'coast-k3v9q2xa-b00003-a1',
    'a bearer of news',
    'sha256-abc=',
  ])('is not seen where there is none: %s', (text) => {
    expect(hideSecrets(text)).toBe(text);
  });
});
