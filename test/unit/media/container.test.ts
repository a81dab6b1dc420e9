import { expect, it } from 'vitest';
import { containerOf, dropped } from '../../../src/media/media.js';

it('names each kind of stream that the output cannot hold', () => {
  const rich = { subtitles: [{ index: 3, codec: 'dvd_subtitle' }], attachments: 2, dataStreams: 1 };
  const webm = containerOf('x.webm');
  expect(webm && dropped(rich, webm)).toEqual([
    expect.stringMatching(/1 subtitle track .*dvd_subtitle/),
    expect.stringMatching(/2 attached files/),
    expect.stringMatching(/1 data stream\b/),
  ]);
});
