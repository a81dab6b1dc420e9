/** Characters a table key must not contain, and what DurableTask.AzureStorage writes for them. */
const ESCAPES: Record<string, string> = { '^': '^^', '/': '^0', '\\': '^1', '#': '^2', '?': '^3' };
const UNESCAPES = new Map(Object.entries(ESCAPES).map(([char, text]) => [text, char]));

/** The partition key of an instance id (DurableTask.AzureStorage, KeySanitation.cs). */
export function toKey(instanceId: string): string {
  return instanceId.replaceAll(/[\^/\\#?\p{Cc}]/gu, (char) => {
    return ESCAPES[char] ?? `^${String.fromCodePoint((char.codePointAt(0) ?? 0) + 0xc0)}`;
  });
}

export function fromKey(key: string): string {
  return key.replaceAll(/\^(.)/gs, (text, char: string) => {
    return UNESCAPES.get(text) ?? String.fromCodePoint((char.codePointAt(0) ?? 0) - 0xc0);
  });
}
