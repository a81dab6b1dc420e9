import { expect, it } from 'vitest';
import { containerOf, dropped } from '../../../src/media/media.js';

it('names each kind of stream that the output cannot hold', () => {
  const rich = { subtitles: [{ index: 3, codec: 'dvd_subtitle' }], attachments: 2, dataStreams: 1 };
  const webm = containerOf('x.webm');
  expect(webm && dropped(rich, webm)).toEqual([
    'The output cannot hold 1 of the subtitles (dvd_subtitle).',
    'The output cannot hold the 2 attached files.',
    'The 1 data streams are not copied.',
  ]);
});
