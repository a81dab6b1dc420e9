/** What begins a credential, and the first of the characters that end it (Functions host behaviour, Sanitizer.cs). */
const CREDENTIAL =
  /(?:(?<!PublicKey)Token=|DefaultEndpointsProtocol=http|AccountKey=|Data Source=|Server=|Password=|pwd=|&amp;sig=|[&?]sig=|SharedAccessKey=|&amp;code=|[&?]code=|key=)[^<"']*/gi;

/** A text as the host passes it on in failures: whatever looks like a credential is hidden, with all that follows it. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(CREDENTIAL, '[Hidden Credential]');
}
