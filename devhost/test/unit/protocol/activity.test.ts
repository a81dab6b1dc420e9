import { describe, expect, it } from 'vitest';
import { activityCompleted, activityFailed, activityInput } from '../../../src/protocol/activity.js';
import type { TypedData } from '../../../src/app/core-types.js';

describe('the result of an activity', () => {
  it.each<[TypedData | null, string]>([
    [{ string: 'text' }, '"text"'],
    [{ json: '{"a":1}' }, '{"a":1}'],
    [{ bytes: Buffer.from('hello') }, '"aGVsbG8="'],
    [{ int: 42 }, '42'],
    [{ int: 2 ** 62 }, '4611686018427387904'],
    [{ int: 1e21 }, '9223372036854775807'],
    [{ int: -1e21 }, '-9223372036854775808'],
    [{ double: 3.14 }, '3.14'],
    [{ double: Number.NaN }, '"NaN"'],
    [{ double: Number.POSITIVE_INFINITY }, '"Infinity"'],
    [null, 'null'],
  ])('%j is kept as %s', (data, text) => {
    expect(activityCompleted(0, data)).toMatchObject({ Result: text });
  });
});

describe('the trigger metadata of an activity', () => {
  const metadata = (input: unknown) => {
    const scheduled = { EventType: 'TaskScheduled', Name: 'a', Input: JSON.stringify([input]) } as const;
    return activityInput(scheduled, 'id').triggerMetadata;
  };

  it('holds the input as it was scheduled', () => {
    expect(metadata(true)).toEqual({ instanceId: { string: 'id' }, data: { json: 'true' } });
    expect(metadata('"quoted"')).toEqual({ instanceId: { string: 'id' }, data: { json: String.raw`"\"quoted\""` } });
    expect(metadata(null)).toEqual({ instanceId: { string: 'id' } });
  });

  it('holds the members of an object as .NET writes them', () => {
    const input = {
      flag: true,
      time: '2026-01-02T03:04:05.678Z',
      offset: '2026-01-02T03:04:05+02:00',
      local: '2026-01-02T03:04:05',
      day: '2026-01-02',
      never: '2026-13-02T03:04:05Z',
      list: [1],
      nothing: null,
      inner: { a: true },
      count: 5,
    };
    expect(metadata(input)).toEqual({
      instanceId: { string: 'id' },
      data: { json: JSON.stringify(input) },
      flag: { string: 'True' },
      time: { string: '01/02/2026 03:04:05' },
      offset: { string: '01/02/2026 01:04:05' },
      local: { string: '01/02/2026 03:04:05' },
      day: { string: '2026-01-02' },
      never: { string: '2026-13-02T03:04:05Z' },
      inner: { string: '{"a":true}' },
      count: { string: '5' },
    });
  });
});

describe('the failure of an activity', () => {
  it('tells the error once, then as the exception that the extension serialises', () => {
    const failed = activityFailed('fail', 3, new Error('no blob'));
    expect(failed).toMatchObject({ TaskScheduledId: 3, Reason: "Activity function 'fail' failed: no blob" });
    const details = JSON.parse('Details' in failed ? failed.Details : '') as Record<string, unknown>;
    expect(details).toMatchObject({
      $type: 'System.Exception, System.Private.CoreLib',
      Message: 'no blob',
      InnerException: { RemoteMessage: 'no blob', RemoteStackTrace: expect.stringMatching(/^Error: no blob\n {4}at /) },
    });
  });

  it('holds no credential', () => {
    const secret = 'https://x/c?sr=b&sig=hunter2&se=1';
    expect(JSON.stringify(activityFailed('fail', 0, new Error(secret)))).not.toContain('hunter2');
    expect(JSON.stringify(activityFailed('fail', 0, secret))).not.toContain('hunter2');
  });
});
