import type { HttpResponseInit } from '@azure/functions';
import { JobError, messageOf } from '../job/failure.js';

/** The body of every refusal: one sentence. */
export const refuse = (status: number, message: string): HttpResponseInit => ({ status, jsonBody: { error: message } });

/** Answers a user's mistake with 400 and its sentence; anything else with 500, its cause in the log only. */
export function answerError(error: unknown, log: (message: string) => void): HttpResponseInit {
  if (error instanceof JobError && error.kind !== 'platform') return refuse(400, error.message);
  log(messageOf(error));
  if (error instanceof JobError) return refuse(503, error.message);
  return refuse(500, 'The service failed to handle the request; its log says why. Try again later.');
}
