import type { TypedData } from '../app/core-types.js';
import { messageOf } from '../fault.js';
import type { CompletionBody, FailureDetails, TaskScheduled } from './history-events.js';
import { Limiter } from './limiter.js';

export interface ActivityCall {
  instanceId: string;
  executionId: string;
  taskId: number;
  scheduled: TaskScheduled;
}

export interface ActivityRunnerOptions {
  limit: number;
  call(name: string, data: TypedData, metadata: Record<string, TypedData>): Promise<TypedData | null | undefined>;
  deliver(call: ActivityCall, outcome: CompletionBody): void;
  warn(message: string): void;
}

/** Runs activities, at most `limit` at a time. After `stop` nothing new begins; what is lost runs again after a restart. */
export class ActivityRunner {
  readonly #options: ActivityRunnerOptions;
  readonly #limiter: Limiter;
  readonly #running = new Map<string, Promise<void>>();

  constructor(options: ActivityRunnerOptions) {
    this.#options = options;
    this.#limiter = new Limiter(options.limit);
  }

  /** Starts the activity unless this very call is already under way. */
  start(call: ActivityCall): void {
    const key = `${call.instanceId}\n${call.executionId}\n${call.taskId}`;
    if (this.#running.has(key)) return;
    const run = this.#limiter.run(async () => {
      const outcome = await this.#run(call);
      this.#running.delete(key);
      this.#options.deliver(call, outcome);
    });
    this.#running.set(key, run);
  }

  /** Lets running activities end, but waits no longer than `patience` milliseconds. */
  async stop(patience: number): Promise<void> {
    this.#limiter.close();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([this.#limiter.idle(), timeout]);
    clearTimeout(timer);
  }

  async #run(call: ActivityCall): Promise<CompletionBody> {
    const { scheduled, taskId } = call;
    try {
      const input: unknown = (JSON.parse(scheduled.Input) as unknown[])[0];
      if (typeof input === 'boolean') {
        this.#options.warn(
          `Activity '${scheduled.Name}' is given a bare boolean, which Azure passes as the text "${inputText(input)}": pass an object.`,
        );
      }
      const returned = await this.#options.call(
        scheduled.Name,
        inputData(input),
        triggerMetadata(call.instanceId, input),
      );
      return { EventType: 'TaskCompleted', TaskScheduledId: taskId, Result: resultText(returned) };
    } catch (error) {
      return failure(scheduled.Name, taskId, error);
    }
  }
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

/** The two blanks are what the extension leaves in the text it cuts out of the exception. */
function failure(name: string, taskId: number, error: unknown): CompletionBody {
  const message = messageOf(error);
  const details = failureDetails(message);
  return {
    EventType: 'TaskFailed',
    TaskScheduledId: taskId,
    Reason: `Activity function '${name}' failed:  ${details?.ErrorMessage ?? message}`,
    Details: JSON.stringify({
      ClassName: 'System.Exception',
      Message: message,
      StackTraceString: error instanceof Error ? error.stack : null,
    }),
    FailureDetails: details,
  };
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
