import { describe, expect, test } from 'vitest';
import {
  messageText,
  isMediaCreated,
  type MediaEvent,
  parseMessage,
  writeMediaEvent,
  shownName,
} from '../../../../src/job/inbox/media-event.js';

const MEDIA: MediaEvent = {
  id: '831e1650-001e-001b-66ab-eeb76e069631',
  account: 'mymedia',
  container: 'inbox',
  name: 'clips/Tag am Meer.mp4',
  etag: '0x8D4BCC2E4835CD0',
  time: '2026-11-26T10:15:30.1234567Z',
  bytes: 524288,
  type: 'Microsoft.Storage.BlobCreated',
  api: 'PutBlockList',
};
const SUBJECT = '/blobServices/default/containers/inbox/blobs/clips/Tag am Meer.mp4';
const SOURCE =
  '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/mymedia';
const DATA = {
  api: 'PutBlockList',
  clientRequestId: '6d79dbfb-0e37-4fc4-981f-442c9ca65760',
  requestId: '831e1650-001e-001b-66ab-eeb76e000000',
  eTag: '0x8D4BCC2E4835CD0',
  contentType: 'video/mp4',
  contentLength: 524288,
  blobType: 'BlockBlob',
  accessTier: 'Default',
  url: 'https://mymedia.blob.core.windows.net/inbox/clips/Tag%20am%20Meer.mp4',
  sequencer: '00000000000004420000000000028963',
  storageDiagnostics: { batchId: 'b68529f3-68cd-4744-baa4-3c0498ec19f0' },
};
const CLOUD = {
  specversion: '1.0',
  id: MEDIA.id,
  source: SOURCE,
  subject: SUBJECT,
  type: MEDIA.type,
  time: MEDIA.time,
  data: DATA,
};
const GRID = {
  topic: SOURCE,
  subject: SUBJECT,
  eventType: MEDIA.type,
  eventTime: MEDIA.time,
  id: MEDIA.id,
  data: DATA,
  dataVersion: '',
  metadataVersion: '1',
};
const base64 = (text: string) => Buffer.from(text).toString('base64');
const withData = (data: object) => ({ ...CLOUD, data: { ...DATA, ...data } });

describe('a message', () => {
  test.each<[string, unknown]>([
    ['CloudEvents, as an object', CLOUD],
    ['CloudEvents, as text', JSON.stringify(CLOUD)],
    ['CloudEvents, as text with line breaks', JSON.stringify(CLOUD, undefined, 2)],
    ['CloudEvents, in base64', base64(JSON.stringify(CLOUD))],
    ['CloudEvents, in base64 in lines', base64(JSON.stringify(CLOUD)).replace(/(.{76})/g, '$1\r\n')],
    ['CloudEvents, in base64 twice', base64(base64(JSON.stringify(CLOUD)))],
    ['CloudEvents, as a text in JSON', JSON.stringify(JSON.stringify(CLOUD))],
    ['CloudEvents, after a byte order mark', `\uFEFF${JSON.stringify(CLOUD)}`],
    ['CloudEvents, in base64 after a byte order mark', base64(`\uFEFF${JSON.stringify(CLOUD)}`)],
    ['the Event Grid schema, as an object', GRID],
    ['the Event Grid schema, as text', JSON.stringify(GRID)],
    ['the Event Grid schema, in base64', base64(JSON.stringify(GRID))],
    ['one event in a list', [CLOUD]],
    ['an ETag in quotes', withData({ eTag: '"0x8D4BCC2E4835CD0"' })],
    ['a weak ETag', withData({ eTag: 'W/"0x8D4BCC2E4835CD0"' })],
    ['an ETag under another name', withData({ eTag: undefined, etag: '0x8D4BCC2E4835CD0' })],
    ['members that nobody knows', { ...CLOUD, dataschema: '#', traceparent: 'x', data: { ...DATA, more: [1] } }],
  ])('is read as %s', (_, message) => {
    expect(parseMessage(message)).toEqual({ kind: 'events', events: [MEDIA] });
  });

  test('may hold several events', () => {
    const other = { ...CLOUD, id: 'b', subject: `${SUBJECT}.mkv` };
    const parsed = parseMessage([CLOUD, other]);
    expect(parsed.kind === 'events' && parsed.events.map(({ name }) => name)).toEqual([
      MEDIA.name,
      `${MEDIA.name}.mkv`,
    ]);
  });

  test.each(['äöü/東京.mp4', 'a%20b.mp4', 'blobs/containers/inbox.mp4', 'a/b?c#d.mp4', 'x\u0007y.mp4', '🎞.mp4'])(
    'keeps the name of a blob as it is: %j',
    (name) => {
      const parsed = parseMessage({ ...CLOUD, subject: `/blobServices/default/containers/inbox/blobs/${name}` });
      expect(parsed.kind === 'events' && parsed.events[0]?.name).toBe(name);
    },
  );

  test('without a size says so', () => {
    const parsed = parseMessage(withData({ contentLength: undefined }));
    expect(parsed.kind === 'events' && parsed.events[0]).toMatchObject({ name: MEDIA.name, bytes: undefined });
  });

  test('is read as a ticket of the line', () => {
    const ticket = { ticket: `inbox-${'0a'.repeat(16)}` };
    expect(parseMessage(ticket)).toEqual({ kind: 'ticket', claim: ticket.ticket });
    expect(parseMessage(JSON.stringify(ticket))).toEqual({ kind: 'ticket', claim: ticket.ticket });
    expect(parseMessage({ ticket: '../models/a' }).kind).toBe('rubbish');
  });

  test.each<[string, unknown, RegExp]>([
    ['nothing', '', /empty/],
    ['no value', null, /neither/],
    ['a number', 7, /neither/],
    ['words', 'hello there', /neither JSON/],
    ['base64 of bytes', base64('\u0000\u0001\u0002ÿ'), /neither JSON/],
    ['JSON that was cut', JSON.stringify(CLOUD).slice(0, 300), /neither JSON/],
    ['an empty list', [], /empty/],
    ['another object', { hello: 1 }, /"type"/],
    ['no subject', { ...CLOUD, subject: undefined }, /"subject"/],
    ['a subject of something else', { ...CLOUD, subject: '/blobServices/default/containers/inbox' }, /"subject"/],
    ['no ETag', withData({ eTag: undefined }), /"data\.eTag"/],
    ['an empty ETag', withData({ eTag: '""' }), /"data\.eTag"/],
    ['no data', { ...CLOUD, data: undefined }, /"data\.eTag"/],
    ['no source', { ...CLOUD, source: 'x' }, /"source"/],
    ['a list with rubbish', [CLOUD, { hello: 1 }], /"type"/],
    ['a JSON text in too many wrappings', base64(base64(base64(base64(JSON.stringify(CLOUD))))), /neither JSON/],
  ])('of %s is none', (_, message, reason) => {
    const parsed = parseMessage(message);
    expect(parsed).toMatchObject({ kind: 'rubbish' });
    expect(parsed.kind === 'rubbish' && parsed.reason).toMatch(reason);
  });

  test.each([undefined, 'Microsoft.Storage.BlobDeleted'])('of another type (%s) is told from a new blob', (type) => {
    const parsed = parseMessage({ ...CLOUD, type: type ?? 'Microsoft.EventGrid.SubscriptionDeletedEvent' });
    expect(parsed.kind === 'events' && parsed.events.map(isMediaCreated)).toEqual([false]);
  });

  test.each([
    ['PutBlob', true],
    ['PutBlockList', true],
    ['CopyBlob', true],
    ['FlushWithClose', true],
    [undefined, true],
    ['CreateFile', false],
  ])('of the operation %s is a new blob: %s', (api, isNew) => {
    expect(isMediaCreated({ ...MEDIA, api })).toBe(isNew);
  });
});

test('an event that the app writes is read like one of Event Grid', () => {
  const { api, ...media } = MEDIA;
  const written = writeMediaEvent({ ...media, name: 'a/東京 "x".mp4' });
  expect(parseMessage(written)).toEqual({
    kind: 'events',
    events: [{ ...media, name: 'a/東京 "x".mp4', api: 'Sweep' }],
  });
  expect(api).toBeDefined();
});

describe('the text of a message, for a record of it', () => {
  const said = '{"url":"https://x/a?sig=secret"}';

  test.each([
    ['plain', said],
    ['base64', base64(said)],
    ['base64 in JSON in base64', base64(JSON.stringify(base64(said)))],
    ['an object', JSON.parse(said) as object],
  ])('is readable when it came as %s, so that secrets in it can be hidden', (_, message) => {
    expect(messageText(message)).toBe(said);
  });

  test.each(['rubbish', '', 'AAAAAAAA', base64('\u0000\u0001')])('is %j as it came', (message) => {
    expect(messageText(message)).toBe(message);
  });
});

test('a name that is shown begins no line, steers no terminal and turns no text around', () => {
  expect(shownName('a\n\u001b[31mb\u202egnp.mp4')).toBe('a??[31mb?gnp.mp4');
});
