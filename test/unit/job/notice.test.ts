import { describe, expect, test } from 'vitest';
import { delayBeforeTry, noticeChoices, noticeOf } from '../../../src/job/notice.js';

const ok = (value: unknown) => noticeChoices.safeParse(value).success;

describe('where notices go', () => {
  test.each([
    [[]],
    [[{ queue: 'jobs-done' }]],
    [[{ eventGrid: true }]],
    [[{ webhook: 'https://example.com/hook', secret: 'MAIN' }]],
    [[{ webhook: 'https://example.com/hook?a=1', secret: 'A_1' }, { queue: 'abc' }, { eventGrid: true }]],
  ])('may be %j', (choice) => {
    expect(ok(choice)).toBe(true);
  });

  test.each([
    ['no list', { queue: 'abc' }],
    ['four', [{ queue: 'aaa' }, { queue: 'bbb' }, { queue: 'ccc' }, { queue: 'ddd' }]],
    ['nothing', [{}]],
    ['two at once', [{ queue: 'abc', eventGrid: true }]],
    ['a queue with capitals', [{ queue: 'Done' }]],
    ['a queue with two hyphens', [{ queue: 'a--b' }]],
    ['the queue of new media', [{ queue: 'inbox-events' }]],
    ['its poison queue', [{ queue: 'inbox-events-poison' }]],
    ['a queue of the task hub', [{ queue: 'batchscoring-control-00' }]],
    ['a queue of the Functions host', [{ queue: 'azure-webjobs-blobtrigger-app' }]],
    ['http', [{ webhook: 'http://example.com', secret: 'A' }]],
    ['a login', [{ webhook: 'https://me:pw@example.com', secret: 'A' }]],
    ['a key', [{ webhook: 'https://example.com/hook?code=abcdefgh', secret: 'A' }]],
    ['a signature', [{ webhook: 'https://example.com/hook?sv=1&sig=abcdefgh', secret: 'A' }]],
    ['another port', [{ webhook: 'https://example.com:8443', secret: 'A' }]],
    ['no URL', [{ webhook: 'example.com', secret: 'A' }]],
    ['no secret', [{ webhook: 'https://example.com' }]],
    ['a secret that is no name', [{ webhook: 'https://example.com', secret: 'a secret' }]],
    ['a very long URL', [{ webhook: `https://example.com/${'a'.repeat(500)}`, secret: 'A' }]],
  ])('may not be %s', (_, choice) => {
    expect(ok(choice)).toBe(false);
  });
});

describe('a notice', () => {
  const ended = {
    jobId: 'coast-k3v9q2xa',
    outcome: 'done' as const,
    message: '',
    output: 'outbox/coast-k3v9q2xa.mp4',
    manifest: 'https://m.blob.core.windows.net/job-coast-k3v9q2xa/manifest.json',
    startedBy: 'inbox/a/coast.mp4',
    finishedAt: '2026-11-26T10:00:00.000Z',
  };

  test('is a CloudEvent with all that its reader needs', () => {
    expect(noticeOf('notice-1', ended)).toEqual({
      specversion: '1.0',
      id: 'notice-1',
      source: '/durable-batch-scoring',
      subject: 'coast-k3v9q2xa',
      type: 'BatchScoring.JobEnded',
      time: '2026-11-26T10:00:00.000Z',
      datacontenttype: 'application/json',
      data: {
        job: 'coast-k3v9q2xa',
        outcome: 'done',
        message: '',
        output: 'outbox/coast-k3v9q2xa.mp4',
        manifest: 'https://m.blob.core.windows.net/job-coast-k3v9q2xa/manifest.json',
        startedBy: 'inbox/a/coast.mp4',
      },
    });
  });

  test('of a failed job has the reason and no output, and no secret that the reason may quote', () => {
    const url = 'https://a.blob.core.windows.net/b?sv=1&sig=abcdef';
    const { data } = noticeOf('n', { ...ended, outcome: 'failed', message: `cannot read ${url}`, output: undefined });
    expect(data).toMatchObject({ outcome: 'failed', output: null });
    expect(data.message).toMatch(/cannot read/);
    expect(data.message).not.toMatch(/abcdef/);
  });

  test('is small enough for a queue, whatever the reason', () => {
    const long = { ...ended, message: '東'.repeat(100_000), startedBy: `inbox/${'東'.repeat(300)}` };
    expect(Buffer.byteLength(JSON.stringify(noticeOf('n', long)))).toBeLessThan(48 * 1024);
  });

  test('is tried five times, after growing pauses', () => {
    expect([2, 3, 4, 5, 6].map(delayBeforeTry)).toEqual([10, 60, 300, 1800, undefined]);
  });
});
