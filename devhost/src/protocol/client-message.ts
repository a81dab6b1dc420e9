import { EVENT_NUMBERS, type ExecutionStarted, type MessageBody, type ParentTraceContext } from './history.js';

/** What a client of the hub asks for with one message in a control queue. */
export interface ClientMessage {
  instanceId: string;
  body: Exclude<MessageBody, { TaskScheduledId: number } | { TimerId: number }>;
  /** When the client made it, by the client's clock. */
  time: Date;
  /** Grows with each message of one client. */
  sequence: number;
  /** When a new instance is to begin, if not at once. */
  startAt?: Date;
}

/** A long message: this gzip blob in `<hub>-largemessages` holds its text. */
export interface LongMessage {
  blobName: string;
}

/** A message that this host cannot act upon, however often it comes. */
export class MalformedMessage extends Error {}

type Members = Record<string, unknown>;

/**
 * Reads the text of a message as DurableTask.AzureStorage writes it (MessageData.cs): JSON, plain or in Base64, with a TaskMessage that
 * holds an event. Members are found whether they begin with a capital or not; .NET's type names are not needed.
 * @throws MalformedMessage when it is anything else, or an event that only hosts send.
 */
export function readClientMessage(text: string): ClientMessage | LongMessage {
  const envelope = parsed(text);
  const blobName = optionalText(envelope, 'CompressedBlobName');
  if (blobName) return { blobName };
  const message = section(envelope, 'TaskMessage');
  const event = section(message, 'Event');
  const target = section(message, 'OrchestrationInstance');
  const instanceId = requiredText(target, 'InstanceId');
  const body = readBody(event, { InstanceId: instanceId, ExecutionId: optionalText(target, 'ExecutionId') ?? '' });
  const startAt = timeOf(event, 'ScheduledStartTime');
  return {
    instanceId,
    body,
    time: timeOf(event, 'Timestamp') ?? new Date(),
    sequence: Number(member(envelope, 'SequenceNumber') ?? 0) || 0,
    ...(startAt ? { startAt } : {}),
  };
}

function parsed(text: string): Members {
  const content = text.replace(/^\uFEFF/, '').trim();
  const json = content.startsWith('{') ? content : Buffer.from(content, 'base64').toString();
  try {
    return asSection(JSON.parse(json), 'The message');
  } catch (error) {
    if (error instanceof MalformedMessage) throw error;
    throw new MalformedMessage('It is not JSON, neither as it stands nor in Base64.');
  }
}

function readBody(event: Members, instance: ExecutionStarted['OrchestrationInstance']): ClientMessage['body'] {
  const type = member(event, 'EventType');
  switch (type) {
    case EVENT_NUMBERS.ExecutionStarted:
      return executionStarted(event, instance);
    case EVENT_NUMBERS.EventRaised:
      return { EventType: 'EventRaised', Name: eventName(event), Input: jsonText(event) };
    case EVENT_NUMBERS.ExecutionTerminated:
      return { EventType: 'ExecutionTerminated', Input: optionalText(event, 'Input') ?? '' };
    case EVENT_NUMBERS.ExecutionSuspended:
      return { EventType: 'ExecutionSuspended', Reason: optionalText(event, 'Reason') ?? '' };
    case EVENT_NUMBERS.ExecutionResumed:
      return { EventType: 'ExecutionResumed', Reason: optionalText(event, 'Reason') ?? '' };
    case EVENT_NUMBERS.GenericEvent: {
      const Data = optionalText(event, 'Data');
      return { EventType: 'GenericEvent', ...(Data === undefined ? {} : { Data }) };
    }
    default: {
      const name = Object.entries(EVENT_NUMBERS).find(([, number]) => number === type)?.[0];
      throw new MalformedMessage(
        `${name ?? `An event of type ${JSON.stringify(type)}`} is nothing that a client sends.`,
      );
    }
  }
}

function executionStarted(event: Members, instance: ExecutionStarted['OrchestrationInstance']): ExecutionStarted {
  if (member(event, 'ParentInstance') !== undefined)
    throw new MalformedMessage('It starts a sub-orchestration, which is for the host of its parent to do.');
  return {
    EventType: 'ExecutionStarted',
    OrchestrationInstance: instance,
    ParentInstance: null,
    ParentTraceContext: traceContext(event),
    Name: requiredText(event, 'Name'),
    Version: optionalText(event, 'Version') ?? '',
    Input: optionalText(event, 'Input') ?? null,
    Generation: Number(member(event, 'Generation') ?? 0) || 0,
  };
}

function traceContext(event: Members): ParentTraceContext | null {
  const found = member(event, 'ParentTraceContext');
  if (found === undefined) return null;
  const context = asSection(found, 'ParentTraceContext');
  const TraceParent = optionalText(context, 'TraceParent');
  return TraceParent ? { TraceParent, TraceState: optionalText(context, 'TraceState') ?? null } : null;
}

/** The SDK keeps events and tasks in one table of names, so an all-digit name could complete a task. */
function eventName(event: Members): string {
  const name = requiredText(event, 'Name');
  if (/^\d+$/.test(name))
    throw new MalformedMessage(
      `'${name}' cannot be the name of an event: the SDK would take it for the number of a task.`,
    );
  return name;
}

/** The SDK parses what an event carries, and takes nothing for undefined. */
function jsonText(event: Members): string {
  const text = optionalText(event, 'Input') ?? '';
  try {
    if (text !== '') JSON.parse(text);
    return text;
  } catch {
    throw new MalformedMessage('What the event carries is not JSON.');
  }
}

function timeOf(members: Members, name: string): Date | undefined {
  const value = member(members, name);
  const time = new Date(typeof value === 'string' ? value : Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** Undefined for null, too: .NET writes it where there is nothing. */
function member(members: Members, name: string): unknown {
  const value = members[name] ?? members[name.charAt(0).toLowerCase() + name.slice(1)];
  return value ?? undefined;
}

function section(members: Members, name: string): Members {
  return asSection(member(members, name), name);
}

function asSection(value: unknown, name: string): Members {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new MalformedMessage(value === undefined ? `It has no ${name}.` : `${name} is not an object.`);
}

function optionalText(members: Members, name: string): string | undefined {
  const value = member(members, name);
  if (value === undefined || typeof value === 'string') return value;
  throw new MalformedMessage(`${name} is not text.`);
}

function requiredText(members: Members, name: string): string {
  const text = optionalText(members, name);
  if (!text) throw new MalformedMessage(`It has no ${name}.`);
  return text;
}
