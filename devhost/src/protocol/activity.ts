import type { TypedData } from '../app/core-types.js';
import { messageOf } from '../log.js';
import { withoutCredentials } from './credentials.js';
import { type CompletionBody, escaped, type FailureDetails, jsonText, type TaskScheduled } from './history.js';

/** What an activity function is called with. */
export interface ActivityInput {
  data: TypedData;
  triggerMetadata: Record<string, TypedData>;
}

/** Turns the input that the SDK scheduled into what the activity function receives. */
export function activityInput(scheduled: TaskScheduled, instanceId: string): ActivityInput {
  const input: unknown = (JSON.parse(scheduled.Input) as unknown[])[0];
  return {
    data: inputData(input),
    triggerMetadata: triggerMetadata(instanceId, input),
  };
}

/** The event that tells the orchestrator what the activity returned. */
export function activityCompleted(taskId: number, data: TypedData | null | undefined): CompletionBody {
  return { EventType: 'TaskCompleted', TaskScheduledId: taskId, Result: resultText(data) };
}

/** The event that tells the orchestrator what the activity threw. */
export function activityFailed(name: string, taskId: number, error: unknown): CompletionBody {
  const message = withoutCredentials(messageOf(error));
  const lines = ((error instanceof Error ? error.stack : undefined) ?? '').split('\n');
  const stack = lines.map((line) => withoutCredentials(line)).join('\n');
  const details = failureDetails(message);
  return {
    EventType: 'TaskFailed',
    TaskScheduledId: taskId,
    Reason: `Activity function '${name}' failed: ${details?.ErrorMessage ?? message}`,
    Details: JSON.stringify(dotnetException(message, stack)),
    FailureDetails: details,
  };
}

/** A worker's error as the Functions host serialises it; the host's own stack, which no app can use, is left empty. */
function dotnetException(message: string, stack: string): object {
  const hresult = -2_146_233_088;
  return {
    $type: 'System.Exception, System.Private.CoreLib',
    ClassName: 'System.Exception',
    Message: message,
    Data: null,
    InnerException: {
      $type: 'Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException, Microsoft.Azure.WebJobs.Script',
      IsUserException: false,
      RemoteStackTrace: stack,
      RemoteMessage: message,
      RemoteTypeName: null,
      Message: `Result: Failure\nException: ${message}\nStack: ${stack}`,
      Data: { $type: 'System.Collections.ListDictionaryInternal, System.Private.CoreLib' },
      InnerException: null,
      HelpLink: null,
      Source: 'System.Private.CoreLib',
      HResult: hresult,
      StackTrace: '',
    },
    HelpURL: null,
    StackTraceString: null,
    RemoteStackTraceString: null,
    RemoteStackIndex: 0,
    ExceptionMethod: null,
    HResult: hresult,
    Source: null,
    WatsonBuckets: null,
  };
}

function inputData(input: unknown): TypedData {
  return input === null ? {} : { string: inputText(input) };
}

/**
 * Durable extension behaviour: strings arrive as the JSON-quoted text the SDK made of them, objects as JSON, numbers as
 * digits, booleans as .NET writes them (DurableActivityContext.cs).
 */
function inputText(input: unknown): string {
  if (typeof input === 'string') return input;
  if (typeof input === 'boolean') return input ? 'True' : 'False';
  return JSON.stringify(input);
}

/** The input as it was scheduled, and the members of an object, which may even replace `instanceId`. */
function triggerMetadata(instanceId: string, input: unknown): Record<string, TypedData> {
  if (input === null) return { instanceId: { string: instanceId } };
  return { instanceId: { string: instanceId }, data: { json: JSON.stringify(input) }, ...memberMetadata(input) };
}

/** The members of an object among the metadata of a trigger, but for arrays and nulls (Functions host behaviour, Utility.cs). */
export function memberMetadata(input: unknown): Record<string, TypedData> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return {};
  const members = Object.entries(input).filter(([, value]) => value !== null && !Array.isArray(value));
  return Object.fromEntries(members.map(([key, value]) => [key, { string: memberText(value) }]));
}

/** A member as .NET turns its value into text; Newtonsoft.Json takes an ISO time for a time. */
function memberText(value: unknown): string {
  if (typeof value !== 'string') return typeof value === 'object' ? JSON.stringify(value) : inputText(value);
  const time = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,7})?(Z|[+-]\d\d:\d\d)?$/.exec(value);
  const date = new Date(time?.[5] === undefined ? `${value}Z` : value);
  if (!time || Number.isNaN(date.getTime())) return value;
  const [, year, month, day, clock] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)/.exec(date.toISOString()) ?? [];
  return `${month}/${day}/${year} ${clock}`;
}

/** JSON text of what an activity returned. */
function resultText(data: TypedData | null | undefined): string {
  if (typeof data?.string === 'string') return jsonText(data.string);
  if (typeof data?.json === 'string') return escaped(data.json);
  if (data?.bytes) return JSON.stringify(Buffer.from(data.bytes).toString('base64'));
  if (typeof data?.int === 'number') return integerText(data.int);
  if (typeof data?.double === 'number' && !Number.isFinite(data.double)) return JSON.stringify(String(data.double));
  return JSON.stringify(data?.double ?? null);
}

const MAX_INT64 = 2n ** 63n - 1n;

/** The worker protocol has 64 bits for whole numbers: larger ones become the largest. */
function integerText(value: number): string {
  const exact = BigInt(value);
  if (exact > MAX_INT64) return String(MAX_INT64);
  return String(exact < -MAX_INT64 - 1n ? -MAX_INT64 - 1n : exact);
}

/** An app with an exception properties provider throws messages that are JSON of this shape (durable-functions 3.4 and later). */
function failureDetails(message: string): FailureDetails | null {
  if (!message.startsWith('{')) return null;
  try {
    const parsed = JSON.parse(message) as Record<string, unknown>;
    if (typeof parsed['errorType'] !== 'string' || typeof parsed['errorMessage'] !== 'string') return null;
    return {
      ErrorType: parsed['errorType'],
      ErrorMessage: parsed['errorMessage'],
      StackTrace: typeof parsed['stackTrace'] === 'string' ? parsed['stackTrace'] : null,
      IsNonRetriable: parsed['isNonRetriable'] === true,
      Properties: (parsed['properties'] as Record<string, unknown> | undefined) ?? null,
      InnerFailure: null,
    };
  } catch {
    return null;
  }
}
