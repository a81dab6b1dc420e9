/** What goes back to the caller. A body of `undefined` means none. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Azure's one shape of errors (CloudError of the API description). */
export function refuse(status: number, code: string, message: string, headers?: Record<string, string>): Answer {
  const body = { error: { code, message } };
  return headers ? { status, headers, body } : { status, body };
}
