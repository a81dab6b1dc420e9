import { messageOf } from '../../job/failure.js';

/** What an error of an Azure SDK says, whatever class it has. */
export interface AzureFault {
  /** `error.code` of the answer, or the system's code when there was no answer. */
  code: string | undefined;
  /** HTTP status; undefined when there was no answer. */
  status: number | undefined;
  /** The innermost message, on one line and without secrets. */
  message: string;
  /** Class of the error, e.g. `CredentialUnavailableError`. */
  name: string;
}

interface Body {
  code?: unknown;
  message?: unknown;
  details?: unknown;
}

/** Codes that only wrap another error, which says what happened. */
const WRAPPERS = new Set(['ResourceOperationFailure', 'DeploymentFailed', 'InvalidTemplateDeployment']);

/** Reads code, status and message out of anything that was thrown. */
export function readAzureFault(error: unknown): AzureFault {
  const thrown: Record<string, unknown> = isRecord(error) ? error : {};
  const body = innermost(bodyOf(thrown.details));
  const cause = isRecord(thrown.cause) ? thrown.cause : {};
  const code = text(body?.code) ?? systemCode(cause) ?? text(thrown.code) ?? text(cause.code);
  const message = text(body?.message) ?? (error instanceof Error ? error.message : text(error)) ?? '';
  return {
    code,
    status: typeof thrown.statusCode === 'number' ? thrown.statusCode : undefined,
    message: messageOf(message),
    name: error instanceof Error ? error.name : '',
  };
}

/** Seconds; a longer wait is not worth the job's time, and is asked for again. */
const LONGEST_RETRY_AFTER = 3600;

/** The Retry-After header (seconds) of the answer that an SDK's error stands for. */
export function retryAfterOf(error: unknown): number | undefined {
  const response = isRecord(error) && isRecord(error.response) ? error.response : {};
  const headers = response.headers as { get?: (name: string) => string | undefined } | undefined;
  const seconds = Number(headers?.get?.('retry-after') ?? Number.NaN);
  return seconds > 0 ? Math.min(seconds, LONGEST_RETRY_AFTER) : undefined;
}

/** The SDK's own code for a lost connection hides which one it was; the cause still knows. */
function systemCode(cause: Record<string, unknown>): string | undefined {
  const code = text(cause.code);
  return code !== undefined && /^E[A-Z_]+$/.test(code) ? code : undefined;
}

/** The `{code, message}` of an answer: RestError keeps the parsed body as `details`, with or without `error` around it. */
function bodyOf(details: unknown): Body | undefined {
  if (!isRecord(details)) return undefined;
  return isRecord(details.error) ? details.error : details;
}

function innermost(body: Body | undefined): Body | undefined {
  if (!body || !WRAPPERS.has(text(body.code) ?? '')) return body;
  const inner: unknown = Array.isArray(body.details) ? body.details[0] : undefined;
  return isRecord(inner) ? innermost(inner) : body;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
