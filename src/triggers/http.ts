import { createHash } from 'node:crypto';
import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { isPassing } from '../container-contract/storage-access.js';
import { hideSecrets, JobError, messageOf } from '../job/failure.js';

/** An HTTP function. */
export type Handler = (request: HttpRequest, context: InvocationContext) => Promise<HttpResponseInit>;

/** A refusal: the body is one sentence. */
export const refuse = (status: number, message: string): HttpResponseInit => ({
  status,
  jsonBody: { error: hideSecrets(message) },
});

/** When to ask again after a failure that passes, unless it says so itself. */
const RETRY_AFTER_SECONDS = 10;

/**
 * Makes an HTTP function whose errors become answers: 400 with the sentence for the user's mistake, 503 with Retry-After for what
 * passes by itself, 429 where others come first, and 500 for anything else, whose cause goes into the log only.
 */
export function answerErrors(handle: Handler): Handler {
  return async (request, context) => {
    try {
      return await handle(request, context);
    } catch (error) {
      if (error instanceof JobError && error.blame !== 'platform') return refuse(400, error.message);
      const cause = error instanceof JobError && error.cause !== undefined ? ` (${messageOf(error.cause)})` : '';
      context.error(`${messageOf(error)}${cause}`);
      const passing = passingFailure(error);
      if (passing) {
        const headers = { 'Retry-After': String(passing.retryAfterSeconds ?? RETRY_AFTER_SECONDS) };
        return { ...refuse(passing.inLine ? 429 : 503, passing.message), headers };
      }
      return refuse(500, 'The service failed to handle the request; its log says why. Try again later.');
    }
  };
}

/**
 * Answers with JSON, or with 304 where the client has it already: it sends the ETag of an earlier answer in `If-None-Match`.
 * @param version what the answer depends on: where it is the same, the client need not read it again. It may leave out what only the
 * clock changes, so the ETag is a weak one.
 */
export function answerVersion(request: HttpRequest, body: object, version: object = body): HttpResponseInit {
  const digest = createHash('sha256').update(JSON.stringify(version)).digest('base64url').slice(0, ETAG_LETTERS);
  const headers = { ETag: `W/"${digest}"`, 'Cache-Control': 'no-cache' };
  const known = (request.headers.get('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return known.includes(`"${digest}"`) || known.includes('*') ? { status: 304, headers } : { headers, jsonBody: body };
}

const ETAG_LETTERS = 22;

/**
 * Lets only JSON through. On a laptop nothing asks for a key, and of all bodies JSON is one that the page of another site can only send
 * after the browser has asked.
 */
export const takesJson =
  (handle: Handler): Handler =>
  async (request, context) =>
    request.body === null || /^application\/json\b/i.test(request.headers.get('content-type') ?? '')
      ? handle(request, context)
      : refuse(415, 'The body must be JSON; send it with the header "Content-Type: application/json".');

function passingFailure(error: unknown): JobError | undefined {
  if (error instanceof JobError) return error;
  if (!isPassing(error)) return undefined;
  return new JobError('platform', 'The storage account does not answer as it should now; try again a little later.');
}
