/** A new version of a blob, as an event tells of it. */
export interface MediaEvent {
  /** The event's. */
  id: string;
  account: string;
  container: string;
  /** The blob's, as it is. */
  name: string;
  /** Without quotes. */
  etag: string;
  /** ISO 8601. */
  time: string;
  bytes: number | undefined;
  /** Of event. */
  type: string;
  /** The operation of storage. */
  api: string | undefined;
}

const LONGEST_SHOWN = 80;

/** A blob's name for a line of a log or a sentence: control characters would begin lines of their own. */
export const shownName = (name: string): string =>
  name.slice(0, LONGEST_SHOWN).replace(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu, '?');

/** What a message of the queue is. */
export type Message =
  | { kind: 'events'; events: MediaEvent[] }
  /** A sign that something is in line; whoever comes with it looks whether there is room. */
  | { kind: 'ticket'; claim: string }
  | { kind: 'rubbish'; reason: string };

const BLOB_CREATED = 'Microsoft.Storage.BlobCreated';

/** `CreateFile` tells of a file in a hierarchical namespace that is still empty; `FlushWithClose` follows when it is whole. */
export const isMediaCreated = ({ type, api }: Pick<MediaEvent, 'type' | 'api'>): boolean =>
  type === BLOB_CREATED && api !== 'CreateFile';

/** An ETag as storage's events have it; HTTP has it in quotes, and proxies make it a weak one. */
export const bareEtag = (etag: string): string => etag.replace(/^W\//, '').replace(/^"(.*)"$/, '$1');

const CLAIM = /^inbox-[0-9a-f]{32}$/;

/**
 * Reads a message as the host hands it over: an object when its text was JSON, else the text. Event Grid wrote its events as plain text
 * once and as base64 since (azure-docs issues 69702 and 102923), and clients wrap both again.
 */
export function parseMessage(message: unknown): Message {
  const value = unwrap(message);
  if (value === undefined) return rubbish('it is neither JSON nor JSON in base64');
  if (isRecord(value) && 'ticket' in value) {
    const { ticket } = value;
    if (typeof ticket === 'string' && CLAIM.test(ticket)) return { kind: 'ticket', claim: ticket };
    return rubbish('its "ticket" is not the name of a claim');
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || value === '') return rubbish('it is empty');
  const events: MediaEvent[] = [];
  for (const each of list) {
    const event = parseEvent(each);
    if (typeof event === 'string') return rubbish(event);
    events.push(event);
  }
  return { kind: 'events', events };
}

const rubbish = (reason: string): Message => ({ kind: 'rubbish', reason });

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** JSON in base64 in a JSON text is the most that was seen. */
const MOST_WRAPPINGS = 4;

/** @returns what is in the wrappings; undefined when that is neither JSON nor base64. */
function unwrap(message: unknown): unknown {
  let value = message;
  for (let wrappings = 0; typeof value === 'string'; wrappings += 1) {
    const text = value.replace(/^\uFEFF/, '').trim();
    if (text === '') return '';
    if (wrappings === MOST_WRAPPINGS) return undefined;
    value = fromJson(text) ?? fromBase64(text);
  }
  return value;
}

/** What a message says, for a record that people read and that hides secrets: out of its wrappings, as far as there is text in them. */
export function messageText(message: unknown): string {
  let text = typeof message === 'string' ? message : (JSON.stringify(message) ?? String(message));
  for (let wrappings = 0; wrappings < MOST_WRAPPINGS; wrappings += 1) {
    const inner = fromJson(text) ?? fromBase64(text.trim());
    if (typeof inner !== 'string' || NOT_TEXT.test(inner)) break;
    text = inner;
  }
  return text;
}

/** Control characters but those of text: what happens to be base64 is another thing then. */
const NOT_TEXT = /[^\P{Cc}\t\n\r]/u;

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

function fromBase64(text: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** @returns a sentence's end that says why it is none. */
function parseEvent(value: unknown): MediaEvent | string {
  if (!isRecord(value)) return 'it is neither an object nor a list of objects';
  const type = value.type ?? value.eventType;
  if (typeof type !== 'string') return 'it has no "type" or "eventType", so it is no event';
  const place = /^\/blobServices\/[^/]+\/containers\/([^/]+)\/blobs\/(.+)$/s.exec(textOf(value.subject));
  const [, container, name] = place ?? [];
  const account = /\/storageAccounts\/([^/]+)$/i.exec(textOf(value.source ?? value.topic))?.[1];
  const data = isRecord(value.data) ? value.data : {};
  const etag = bareEtag(textOf(data.eTag ?? data.etag));
  const api = textOf(data.api) || undefined;
  if (type !== BLOB_CREATED)
    return {
      id: textOf(value.id),
      account: account ?? '',
      container: container ?? '',
      name: name ?? '',
      etag,
      time: '',
      bytes: undefined,
      type,
      api,
    };
  if (container === undefined || name === undefined) return 'its "subject" names no blob';
  if (account === undefined) return 'its "source" or "topic" names no storage account';
  if (etag === '') return 'it has no "data.eTag"';
  const bytes = typeof data.contentLength === 'number' ? data.contentLength : undefined;
  return {
    id: textOf(value.id),
    account,
    container,
    name,
    etag,
    time: textOf(value.time ?? value.eventTime),
    bytes,
    type,
    api,
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The event of a blob that the app has found itself, as CloudEvents. */
export const writeMediaEvent = ({
  id,
  account,
  container,
  name,
  etag,
  time,
  bytes,
}: Omit<MediaEvent, 'type' | 'api'>): string =>
  JSON.stringify({
    specversion: '1.0',
    id,
    source: `/providers/Microsoft.Storage/storageAccounts/${account}`,
    subject: `/blobServices/default/containers/${container}/blobs/${name}`,
    type: BLOB_CREATED,
    time,
    data: { api: 'Sweep', eTag: etag, contentLength: bytes },
  });

/** The message that stands in the queue for something in line. */
export const writeTicket = (claim: string): string => JSON.stringify({ ticket: claim });
