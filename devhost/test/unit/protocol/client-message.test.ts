import { describe, expect, it } from 'vitest';
import { MalformedMessage, readClientMessage } from '../../../src/protocol/client-message.js';
import { clientMessage, startMessage } from '../../support/client-messages.js';

const id = { instanceId: 'i' };
const read = (message: object) => readClientMessage(JSON.stringify(message));

/** The message as a client writes it whose serializer begins names with small letters. */
const camel = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(camel);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name.charAt(0).toLowerCase() + name.slice(1), camel(each)]),
  );
};

describe('a message of a client is', () => {
  it.each([
    [
      'a termination',
      clientMessage('terminated', { ...id, event: { Input: '"enough"' } }),
      { EventType: 'ExecutionTerminated', Input: '"enough"' },
    ],
    [
      'a termination without a reason',
      clientMessage('terminated', id),
      { EventType: 'ExecutionTerminated', Input: '' },
    ],
    [
      'an event',
      clientMessage('raised', { ...id, event: { Name: 'go', Input: '{"a":1}' } }),
      { EventType: 'EventRaised', Name: 'go', Input: '{"a":1}' },
    ],
    [
      'an event that carries nothing',
      clientMessage('raised', { ...id, event: { Name: 'go', Input: null } }),
      { EventType: 'EventRaised', Name: 'go', Input: '' },
    ],
    [
      'a suspension',
      clientMessage('suspended', { ...id, event: { Reason: 'wait' } }),
      { EventType: 'ExecutionSuspended', Reason: 'wait' },
    ],
    [
      'a resumption',
      clientMessage('resumed', { ...id, event: { Reason: null } }),
      { EventType: 'ExecutionResumed', Reason: '' },
    ],
    [
      'a call to wake up',
      clientMessage('generic', { ...id, event: { Data: 'rewound' } }),
      { EventType: 'GenericEvent', Data: 'rewound' },
    ],
  ])('%s, in names that begin with capitals or not, plain or in Base64', (_, message, body) => {
    expect(read(message)).toMatchObject({ instanceId: 'i', body });
    expect(read(camel(message) as object)).toMatchObject({ instanceId: 'i', body });
    const base64 = Buffer.from(JSON.stringify(message)).toString('base64');
    expect(readClientMessage(base64)).toMatchObject({ instanceId: 'i', body });
  });

  it('a start with its input, its trace, its number and its times', () => {
    const ParentTraceContext = { $type: 'DistributedTraceContext', TraceParent: '00-a-b-01', TraceState: null };
    const event = {
      Generation: 2,
      ParentTraceContext,
      Timestamp: '2026-01-02T03:04:05.6789012Z',
      ScheduledStartTime: '2030-01-01T00:00:00Z',
    };
    const message = startMessage('job', { n: 1 }, { instanceId: 'i', executionId: 'e', event });
    expect(read({ ...message, SequenceNumber: 7 })).toEqual({
      instanceId: 'i',
      body: {
        EventType: 'ExecutionStarted',
        OrchestrationInstance: { InstanceId: 'i', ExecutionId: 'e' },
        ParentInstance: null,
        ParentTraceContext: { TraceParent: '00-a-b-01', TraceState: null },
        Name: 'job',
        Version: '',
        Input: '{"n":1}',
        Generation: 2,
      },
      time: new Date('2026-01-02T03:04:05.678Z'),
      sequence: 7,
      startAt: new Date('2030-01-01T00:00:00Z'),
    });
  });

  it('in a blob when it is long', () => {
    expect(read({ CompressedBlobName: 'i/message-1-EventRaised.json.gz', TaskMessage: null })).toEqual({
      blobName: 'i/message-1-EventRaised.json.gz',
    });
  });
});

describe('a message is malformed', () => {
  it.each([
    ['that is no JSON', 'rubbish'],
    ['that is empty', ''],
    ['that is JSON but no object', Buffer.from('[1]').toString('base64')],
    ['that is cut short', JSON.stringify(clientMessage('raised', id)).slice(0, -9)],
    ['without a task message', '{}'],
    ['whose event is missing', JSON.stringify({ TaskMessage: { OrchestrationInstance: { InstanceId: 'i' } } })],
    ['that names no instance', JSON.stringify(clientMessage('terminated', { instanceId: '' }))],
    [
      'whose members are of other types',
      JSON.stringify(clientMessage('terminated', { ...id, event: { Input: { a: 1 } } })),
    ],
    ['that raises an event without a name', JSON.stringify(clientMessage('raised', { ...id, event: { Input: '1' } }))],
    [
      'that raises an event which the SDK would take for a task',
      JSON.stringify(clientMessage('raised', { ...id, event: { Name: '0', Input: '1' } })),
    ],
    [
      'whose event carries no JSON',
      JSON.stringify(clientMessage('raised', { ...id, event: { Name: 'go', Input: 'plain' } })),
    ],
    [
      'that only a host sends',
      JSON.stringify(clientMessage('completed', { ...id, event: { TaskScheduledId: 0, Result: '1' } })),
    ],
    ['of a type that nobody knows', JSON.stringify(clientMessage('raised', { ...id, event: { EventType: 99 } }))],
    ['that starts no function', JSON.stringify(clientMessage('started', { ...id, executionId: 'e' }))],
    [
      'that starts a sub-orchestration',
      JSON.stringify(startMessage('f', 1, { ...id, executionId: 'e', event: { ParentInstance: { Name: 'p' } } })),
    ],
  ])('%s', (_, text) => {
    expect(() => readClientMessage(text)).toThrow(MalformedMessage);
    expect(() => readClientMessage(text)).toThrow(/^\S.*\.$/);
  });
});
