import { describe, expect, test } from 'vitest';
import { formatLogLine, LONGEST_LINE, logLine, parseLogLine } from '../../../src/container-contract/log-line.js';

const source = { job: 'coast-abcd2345', batch: 0, attempt: 1 };
const time = '2026-11-26T15:00:00.123Z';
const lineOf = (message: string) => logLine(source, { time, level: 'info', message });

describe('a line of a log', () => {
  test('comes back from its text as it was', () => {
    for (const stream of [undefined, 'stdout', 'stderr', 'platform'] as const) {
      const line = logLine(source, { time, level: 'warn', message: 'größer "als"\t\\ 10 %', stream });
      expect(parseLogLine(formatLogLine(line).trimEnd(), source)).toEqual(line);
    }
  });

  test.each(['\u2028', '\u2029', '\u0085', '\n', '\r\n', '\v', '\f', '\u001c'])(
    'is one line for every reader, whatever ends lines (%j)',
    (end) => {
      const text = formatLogLine(lineOf(`one${end}two`));
      expect(text.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      expect(text.endsWith('\n')).toBe(true);
      expect(parseLogLine(text.trimEnd())?.message).toMatch(/^one.two$/);
    },
  );

  test('says what a program coloured, without the colours', () => {
    expect(lineOf('\u001b[0;93m2026 [W:onnxruntime:, x.cc:1] odd\u001b[m \u001b]0;title\u0007end').message).toBe(
      '2026 [W:onnxruntime:, x.cc:1] odd end',
    );
    expect(lineOf('\u0000\u0001bin\u0007ary').message).toBe('\ufffd\ufffdbin\ufffdary');
    expect(lineOf('item \u202egnp.exe').message).toBe('item \ufffdgnp.exe');
  });

  test('is cut where it is too long, and says so', () => {
    const { message } = lineOf('x'.repeat(9000));
    expect(message).toHaveLength(LONGEST_LINE);
    expect(message).toMatch(/x … \(the rest of the line is left out\)$/);
    expect(lineOf(message).message).toBe(message);
  });

  test.each([
    '',
    'null',
    '{}',
    '[1]',
    '{"time":"2026',
    'Segmentation fault',
    '{"time":"soon","job":"coast-abcd2345","batch":0,"attempt":1,"level":"info","message":"m"}',
    '{"time":"2026-11-26T15:00:00.123Z","job":"coast-abcd2345","batch":0,"attempt":1,"level":"loud","message":"m"}',
    '{"time":"2026-11-26T15:00:00.123Z","job":"coast-abcd2345","batch":0,"attempt":2,"level":"info","message":"m"}',
    '{"time":"2026-11-26T15:00:00.123Z","job":"coast-abcd2345","batch":0,"attempt":1,"level":"info","message":"m","stream":"tty"}',
  ])('is not taken for one when it is none, or another run’s: %s', (text) => {
    expect(parseLogLine(text, source)).toBeUndefined();
  });
});

test('a line of a log holds no secret, wherever it is cut', () => {
  const url = 'https://a.blob.core.windows.net/c/b?sv=2025&sig=abcdefabcdef%3D&se=2026';
  for (let before = 0; before < url.length; before += 1)
    expect(lineOf('x'.repeat(LONGEST_LINE - before) + url).message).not.toMatch(/sig=|abcdef/);
});
