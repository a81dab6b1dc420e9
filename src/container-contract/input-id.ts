import { createHash } from 'node:crypto';

/** Tells a picture that a user has brought by its bytes: what was made of the same bytes need not be made again. */
export interface InputId {
  /** Of its bytes, in hexadecimal digits. */
  sha256: string;
  bytes: number;
  /** Of the place that it was read from, and the version there; absent where nobody said which version was meant. */
  version?: string;
}

/** @param blob name in the container for inputs. @param etag without quotes. */
export const versionId = (blob: string, etag: string): string =>
  createHash('sha256').update(`${blob}\n${etag}`).digest('hex').slice(0, 32);

/** @param file the bytes that were read. */
export function inputIdOf({ input = '', etag }: { input?: string; etag?: string }, file: Uint8Array): InputId {
  const sha256 = createHash('sha256').update(file).digest('hex');
  return { sha256, bytes: file.length, ...(etag !== undefined && { version: versionId(input, etag) }) };
}

/** One line of ASCII: metadata of an output, or a property of a line. */
export const writeInputId = ({ sha256, bytes, version = '-' }: InputId): string => `${sha256} ${bytes} ${version}`;

/** Reads what `writeInputId` wrote; undefined for anything else. */
export function readInputId(text: string | undefined): InputId | undefined {
  const [, sha256, bytes, version] = /^([0-9a-f]{64}) (\d+) ([0-9a-f]{32}|-)$/.exec(text ?? '') ?? [];
  if (sha256 === undefined) return undefined;
  return { sha256, bytes: Number(bytes), ...(version !== '-' && { version }) };
}
