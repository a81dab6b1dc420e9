import { ClientError } from '../engine/orchestration-client.js';
import { messageOf } from '../fault.js';
import type { Answer } from '../http/http-server.js';

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  };
}

/** The text itself, when it is JSON. */
export function validJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    throw new ClientError(400, `The body is not valid JSON: ${messageOf(error)}`);
  }
}
