/** A fault the user can mend: shown as one sentence; a cause, if there is one, only with --verbose. */
export class UserFault extends Error {
  override readonly name = 'UserFault';
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
