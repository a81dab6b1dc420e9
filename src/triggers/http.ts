import type { HttpHandler, HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { JobError, messageOf } from '../job/failure.js';

/** A refusal: the body is one sentence. */
export const refuse = (status: number, message: string): HttpResponseInit => ({ status, jsonBody: { error: message } });

/**
 * Makes an HTTP function whose errors become answers: 400 with the sentence for the user's mistake, 503 with the sentence for the
 * platform's failure, and 500 for anything else, whose cause goes into the log only.
 */
export function answerErrors(
  handle: (request: HttpRequest, context: InvocationContext) => Promise<HttpResponseInit>,
): HttpHandler {
  return async (request, context) => {
    try {
      return await handle(request, context);
    } catch (error) {
      if (error instanceof JobError && error.blame !== 'platform') return refuse(400, error.message);
      context.error(messageOf(error));
      if (error instanceof JobError) return refuse(503, error.message);
      return refuse(500, 'The service failed to handle the request; its log says why. Try again later.');
    }
  };
}
