/** A fault the user can mend: shown as one sentence, never with a stack trace. */
export class UserFault extends Error {
  override readonly name = 'UserFault';
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
