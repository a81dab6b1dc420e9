import { describe, expect, test } from 'vitest';
import { formatLogLine, type LogStream, logLine } from '../../../src/container-contract/log-line.js';
import { joinLog, type Printed, Printout } from '../../../src/container-contract/printout.js';

const source = { job: 'coast-abcd2345', batch: 3, attempt: 2 };
const at = '2026-11-26T16:00:00.000Z';
const timeOf = (second: number) => `2026-11-26T15:00:0${second}.000Z`;
/** A line of the scorer's own, as it prints and stores it. */
const own = (message: string, second = 1) =>
  formatLogLine(logLine(source, { time: timeOf(second), level: 'info', message }));
const printed = (text: string, stream: LogStream = 'stderr', time?: string): Printed => ({
  text: text.trimEnd(),
  stream,
  time,
});

const join = (stored: string[], output: Printed[]) => joinLog(source, stored.join(''), output, at);
const messages = (stored: string[], output: Printed[]) => join(stored, output).map(({ message }) => message);

describe('what a container prints', () => {
  const linesOf = (...pieces: string[]) => {
    const printout = new Printout();
    for (const piece of pieces) printout.add(piece, 'stdout', timeOf(1));
    return printout.lines();
  };

  test('becomes lines, in whatever pieces it comes, the last one without an end, too', () => {
    const lines = linesOf('o', 'ne\ntw', 'o\r\n', '\n\r  \nthree');
    expect(lines).toEqual(['one', 'two', 'three'].map((text) => ({ text, stream: 'stdout', time: timeOf(1) })));
  });

  test('keeps lines apart that come at the same time on two streams', () => {
    const printout = new Printout();
    printout.add('hel', 'stdout');
    printout.add('crash\n', 'stderr');
    printout.add('lo\n', 'stdout');
    expect(printout.lines().map(({ text, stream }) => [text, stream])).toEqual([
      ['crash', 'stderr'],
      ['hello', 'stdout'],
    ]);
  });

  test('keeps its beginning and its end where it is megabytes, and says how much is left out', () => {
    const printout = new Printout();
    for (let index = 0; index < 100_000; index += 1) printout.add(`line ${index}\n`, 'stderr');
    const lines = printout.lines();
    expect(lines[0]?.text).toBe('line 0');
    expect(lines.at(-1)?.text).toBe('line 99999');
    const remark = lines.findIndex(({ stream }) => stream === 'platform');
    const [before, after] = [lines[remark - 1], lines[remark + 1]].map((line) => Number(line?.text.slice(5)));
    expect(lines[remark]).toMatchObject({
      level: 'warn',
      text: `(${(after ?? 0) - (before ?? 0) - 1} lines of the output are left out here.)`,
    });
    expect(lines.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThan(256 * 1024);
  });

  test('takes no more memory for one line without an end', () => {
    const printout = new Printout();
    for (let index = 0; index < 1000; index += 1) printout.add('x'.repeat(10_000), 'stdout');
    expect(printout.lines().map(({ text }) => text.length)).toEqual([10_000]);
    expect(join([], printout.lines())[0]?.message).toMatch(/x … \(the rest of the line is left out\)$/);
  });
});

describe('the log of an attempt', () => {
  const [begin, load, end] = [own('begins', 1), own('model loaded', 2), own('completed', 3)];

  test('has every line once and in order, the scorer’s and all others', () => {
    const output = [printed(begin, 'stdout'), printed('odd node'), printed(load, 'stdout'), printed(end, 'stdout')];
    expect(messages([begin, load, end], output)).toEqual(['begins', 'odd node', 'model loaded', 'completed']);
  });

  test('has what a scorer said that was killed before it stored all of it, and the shell’s last words', () => {
    const output = [printed(begin, 'stdout'), printed(load, 'stdout'), printed('Killed')];
    expect(messages([], output)).toEqual(['begins', 'model loaded', 'Killed']);
    expect(messages([begin], output)).toEqual(['begins', 'model loaded', 'Killed']);
  });

  test('has what the scorer stored where the platform kept nothing, or the end only', () => {
    expect(messages([begin, load, end], [])).toEqual(['begins', 'model loaded', 'completed']);
    const cut = [printed('the end', 'platform'), printed(end, 'platform')];
    expect(messages([begin, load, end], cut)).toEqual(['begins', 'model loaded', 'the end', 'completed']);
    expect(messages([begin, load], [printed('Killed', 'platform')])).toEqual(['begins', 'model loaded', 'Killed']);
  });

  test('has no half of a line that the scorer had stored whole, and the half of another', () => {
    expect(messages([begin, load], [printed(begin), printed(load.slice(0, 50))])).toEqual(['begins', 'model loaded']);
    expect(messages([begin], [printed(begin), printed(load.slice(0, 50))])).toHaveLength(2);
  });

  test('has equal lines as often as they were printed', () => {
    const output = [begin, begin, 'a', 'a', load].map((line) => printed(line));
    expect(messages([begin, begin, load], output)).toEqual(['begins', 'begins', 'a', 'a', 'model loaded']);
  });

  test('has the lines of a scorer of another version once', () => {
    const old = '15:00:01.000 batch 3, attempt 2: 4 items\n';
    const output = [printed(old, 'stdout'), printed('odd')];
    expect(join([old], output)).toMatchObject([{ message: old.trimEnd(), time: at }, { message: 'odd' }]);
  });

  test('takes no other run’s lines for its own, and shows them as they are', () => {
    const foreign = formatLogLine(logLine({ ...source, batch: 4 }, { time: at, level: 'info', message: 'mine' }));
    expect(join([], [printed(foreign)])).toMatchObject([{ ...source, stream: 'stderr', message: foreign.trimEnd() }]);
  });

  test('gives a line without a time that of its neighbours', () => {
    const output = [printed('first'), printed(load), printed('second'), printed('third', 'stderr', timeOf(5))];
    expect(join([load], output).map(({ time }) => time)).toEqual([2, 2, 2, 5].map(timeOf));
    expect(join([], [printed('alone')])[0]?.time).toBe(at);
  });

  test.each([
    ['2026-11-26 15:00:00.1 [W:onnxruntime:, graph.cc:1] An error may come', 'warn'],
    ['2026-11-26 15:00:00.1 [E:onnxruntime:, graph.cc:1] bad', 'error'],
    ['2026-11-26 15:00:00.1 [I:onnxruntime:, graph.cc:1] fine', 'info'],
    ['(node:17) ExperimentalWarning: WASI is an experimental feature', 'warn'],
    ['TypeError: x is not a function', 'error'],
    ["terminate called after throwing an instance of 'std::bad_alloc' exception", 'error'],
    ['Segmentation fault (core dumped)', 'error'],
    ['something else', 'warn'],
  ])('says how much a line matters: %s', (text, level) => {
    expect(join([], [printed(text)])[0]?.level).toBe(level);
  });

  test('holds a stack trace with its error, and what was printed to standard output lightly', () => {
    const output = [printed('RangeError: no'), printed('    at score (main.js:1:2)'), printed('hello', 'stdout')];
    expect(join([], output).map(({ level }) => level)).toEqual(['error', 'error', 'info']);
  });

  test('holds no secret of any line', () => {
    const leak = 'https://a.blob.core.windows.net/c?sig=abcdef';
    expect(JSON.stringify(join([own(leak), `${leak}\n`], [printed(leak), printed(`at ${leak}`)]))).not.toMatch(
      /sig=|abcdef/,
    );
  });
});
