import type { TypedData } from '../app/core-types.js';
import { messageOf } from '../log.js';
import type { CompletionBody, FailureDetails, TaskScheduled } from './history.js';

/** What an activity function is called with. */
export interface ActivityInput {
  data: TypedData;
  triggerMetadata: Record<string, TypedData>;
  /** Set when Azure would change the value on its way: the text that arrives instead. */
  arrivesAs: string | undefined;
}

/** Turns the input that the SDK scheduled into what the activity function receives. */
export function activityInput(scheduled: TaskScheduled, instanceId: string): ActivityInput {
  const input: unknown = (JSON.parse(scheduled.Input) as unknown[])[0];
  return {
    data: inputData(input),
    triggerMetadata: triggerMetadata(instanceId, input),
    arrivesAs: typeof input === 'boolean' ? inputText(input) : undefined,
  };
}

/** The event that tells the orchestrator what the activity returned. */
export function activityCompleted(taskId: number, data: TypedData | null | undefined): CompletionBody {
  return { EventType: 'TaskCompleted', TaskScheduledId: taskId, Result: resultText(data) };
}

/** The event that tells the orchestrator what the activity threw. */
export function activityFailed(name: string, taskId: number, error: unknown): CompletionBody {
  const message = messageOf(error);
  const details = failureDetails(message);
  return {
    EventType: 'TaskFailed',
    TaskScheduledId: taskId,
    // The two blanks are what the extension leaves in the text that it cuts out of the exception.
    Reason: `Activity function '${name}' failed:  ${details?.ErrorMessage ?? message}`,
    Details: JSON.stringify({
      ClassName: 'System.Exception',
      Message: message,
      StackTraceString: error instanceof Error ? error.stack : null,
    }),
    FailureDetails: details,
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

/** Members of an object input become trigger metadata, and may even replace `instanceId` (Functions host behaviour). */
function triggerMetadata(instanceId: string, input: unknown): Record<string, TypedData> {
  const metadata: Record<string, TypedData> = { instanceId: { string: instanceId }, data: inputData(input) };
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return metadata;
  for (const [key, value] of Object.entries(input)) {
    if (value !== null && !Array.isArray(value))
      metadata[key] = { string: typeof value === 'string' ? value : JSON.stringify(value) };
  }
  return metadata;
}

function resultText(data: TypedData | null | undefined): string {
  if (typeof data?.string === 'string') return JSON.stringify(data.string);
  if (typeof data?.json === 'string') return data.json;
  if (data?.bytes) return JSON.stringify(Buffer.from(data.bytes).toString('base64'));
  return JSON.stringify(data?.int ?? data?.double ?? null);
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
