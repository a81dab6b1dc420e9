import { describe, expect, test } from 'vitest';
import { createProgressView, leftInWords, progressLine, type Shown } from '../../../src/cli/score/progress-view.js';

const scoring: Shown = {
  id: 'coast-k3v9q2xa',
  stage: 'score',
  items: { total: 240, done: 120, failed: 0 },
  itemsPerSecond: 36.4,
  secondsLeft: 90,
  waiting: [],
  batches: { running: 3 },
  retries: 1,
};
const left = { low: 60, high: 118 };
const line = (columns: number, more: Partial<Shown> = {}) =>
  progressLine({ ...scoring, ...more }, { unit: 'frames', columns, left });

describe('the progress line', () => {
  test('shows stage, items, rate, time left as a range, containers that run, and retries', () => {
    const text = line(140);
    expect(text).toMatch(/^score\s+\S*█+░+ +120\/240 frames/);
    for (const part of ['36.4 frames/s', '60-120 s left', '3 containers', '1 retry']) expect(text).toContain(part);
  });

  test('names what failed, and what it waits for in place of the time that is left', () => {
    expect(line(140, { items: { total: 240, done: 120, failed: 2 } })).toContain('2 failed');
    const waits = line(200, { waiting: ['Batch 3: the region has no room'] });
    expect(waits).toContain('Batch 3: the region has no room');
    expect(waits).not.toContain('left');
  });

  test.each([120, 80, 60, 40, 30, 20])('fits into %i columns, and still says where it is', (columns) => {
    const text = line(columns, { waiting: columns % 40 === 0 ? ['Batch 3: '.repeat(30)] : [] });
    expect(Array.from(text).length).toBeLessThan(columns);
    expect(text).toContain('120/240');
  });

  test('counts letters that take two places', () => {
    const text = line(100, { waiting: ['映像'.repeat(60)] });
    const places = Array.from(text).reduce((sum, letter) => sum + (/[映像]/.test(letter) ? 2 : 1), 0);
    expect(places).toBeLessThan(100);
  });

  test('says in words what has no numbers yet', () => {
    const nothing = { items: { total: 0, done: 0, failed: 0 }, itemsPerSecond: null, secondsLeft: null, retries: 0 };
    const none = { ...nothing, batches: { running: 0 } };
    expect(line(100, { ...none, stage: 'prepare' })).toMatch(/^prepare +prepares the job$/);
    expect(line(100, { ...none, stage: null })).toMatch(/^queued +waits to begin$/);
    expect(line(100, { ...none, stage: 'split' })).toMatch(/^split +splits the video into frames$/);
  });

  test('says that containers start while none has scored anything', () => {
    const text = progressLine(
      {
        ...scoring,
        items: { total: 240, done: 0, failed: 0 },
        itemsPerSecond: null,
        batches: { running: 0 },
        retries: 0,
      },
      { unit: 'frames', columns: 120, left: null },
    );
    expect(text).toContain('0/240 frames');
    expect(text).toContain('starting containers');
    expect(line(120, { itemsPerSecond: null })).toMatch(/starting 3 containers(?!.*3 containers)/);
  });

  test('is one line without anything that steers a terminal, whatever the app says', () => {
    const text = line(400, { waiting: ['a\nb\u001b]0;title\u0007\u202e'] });
    expect(text).toContain('a b');
    for (const letter of '\n\u0007\u001b\u202e') expect(text).not.toContain(letter);
  });
});

test.each([
  [0, 3, 'a few seconds left'],
  [18, 27, '20-25 s left'],
  [41, 41, 'about 40 s left'],
  [95, 170, '2-3 min left'],
  [20, 170, 'up to 3 min left'],
  [300, 310, 'about 5 min left'],
  [5400, 9000, '1.5-2.5 h left'],
  [720_000, 720_000, 'about 8 d left'],
])('%i to %i seconds are "%s"', (low, high, words) => {
  expect(leftInWords({ low, high })).toBe(words);
});

/** What a stream is written, and whether it is a terminal. */
function streamOf(isTTY: boolean) {
  let written = '';
  const stream = { isTTY, columns: 80, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
  return { stream, written: () => written };
}

test.each([true, false])('a job that is refused before it has items shows no finish (terminal: %s)', (isTerminal) => {
  const { stream, written } = streamOf(isTerminal);
  const view = createProgressView(stream, { quiet: false, unit: 'frames', env: { TERM: 'xterm' } });
  const refused = { ...scoring, items: { total: 0, done: 0, failed: 0 }, itemsPerSecond: null, secondsLeft: null };
  view.show({ ...refused, stage: 'prepare' });
  view.show({ ...refused, stage: 'finish' });
  view.end();
  expect(written()).toContain('prepares the job');
  expect(written()).not.toContain('finish');
});

test.each([true, false])(
  'a job that was refused before anybody looked is named all the same (terminal: %s)',
  (isTerminal) => {
    const { stream, written } = streamOf(isTerminal);
    const view = createProgressView(stream, { quiet: false, unit: 'frames', env: { TERM: 'xterm' } });
    view.show({
      ...scoring,
      stage: 'finish',
      items: { total: 0, done: 0, failed: 0 },
      itemsPerSecond: null,
      secondsLeft: null,
    });
    view.end();
    expect(written()).toBe(`job: ${scoring.id}\n`);
  },
);

describe('elsewhere than on a terminal', () => {
  test('a line is printed for each stage, with the name of the job first', () => {
    const { stream, written } = streamOf(false);
    const view = createProgressView(stream, { quiet: false, unit: 'frames', env: {} });
    view.show({
      ...scoring,
      stage: 'prepare',
      items: { total: 0, done: 0, failed: 0 },
      itemsPerSecond: null,
      secondsLeft: null,
      retries: 0,
    });
    view.show(scoring);
    view.show({ ...scoring, items: { total: 240, done: 130, failed: 0 } });
    view.end();
    const [job, prepare, score, ...more] = written().trimEnd().split('\n');
    expect(job).toBe('job: coast-k3v9q2xa');
    expect(prepare).toBe('prepare: prepares the job');
    expect(score).toMatch(/^score: 120\/240 frames, 36\.4 frames\/s, .* left, 3 containers, 1 retry$/);
    expect(more).toEqual([]);
  });

  test('what the job waits for is said once', () => {
    const { stream, written } = streamOf(false);
    const view = createProgressView(stream, { quiet: false, unit: 'frames', env: {} });
    for (let look = 0; look < 3; look += 1) view.show({ ...scoring, waiting: ['Batch 3: no room'] });
    expect(written().match(/waiting: Batch 3: no room/g)).toHaveLength(1);
  });

  test('an app that does not answer is named once', () => {
    const { stream, written } = streamOf(false);
    const view = createProgressView(stream, { quiet: false, unit: 'frames', env: {} });
    view.show(scoring);
    view.silent(3);
    view.silent(4);
    expect(written().match(/no answer/gi)).toHaveLength(1);
  });
});

describe('on a terminal', () => {
  test('one line is drawn again and again, and stays when it is over', () => {
    const { stream, written } = streamOf(true);
    const view = createProgressView(stream, { quiet: false, unit: 'frames', env: { TERM: 'xterm' } });
    view.show(scoring);
    view.show(scoring);
    view.end();
    view.end();
    expect(written().split('\r')).toHaveLength(3);
    expect(written().match(/\n/g)).toHaveLength(2);
    expect(written().endsWith('\n\u001b[?25h')).toBe(true);
  });

  test('one that cannot go back in a line gets lines', () => {
    const { stream, written } = streamOf(true);
    const view = createProgressView(stream, { quiet: false, unit: 'frames', env: { TERM: 'dumb' } });
    view.show(scoring);
    view.end();
    for (const steering of ['\r', '\u001b']) expect(written()).not.toContain(steering);
  });

  test('an app that does not answer is named with the seconds', () => {
    const { stream, written } = streamOf(true);
    const view = createProgressView(stream, { quiet: false, unit: 'frames', env: { TERM: 'xterm' } });
    view.show(scoring);
    view.silent(12);
    expect(written()).toContain('no answer for 12 s');
  });
});

test('nothing is shown when it is to be quiet', () => {
  const { stream, written } = streamOf(true);
  const view = createProgressView(stream, { quiet: true, unit: 'frames', env: {} });
  view.show(scoring);
  view.end();
  expect(written()).toBe('');
});
