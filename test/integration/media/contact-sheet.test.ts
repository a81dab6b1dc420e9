import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { ppmHeader } from '../../../src/job/items/ppm.js';
import { builds } from '../../support/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'media-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const picture = (width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 3, background } });

describe.each(builds)('contact sheet by ffmpeg from $name', ({ media, name }) => {
  const out = (file: string) => path.join(folder, `${path.basename(name)}-${file}`);

  it('draws a contact sheet of pictures of any size and kind, as wide as the widest of the first pair but for its limit', async () => {
    const [red, blue] = [
      await picture(480, 270, '#f00').png().toBuffer(),
      await picture(720, 720, '#00f').jpeg().toBuffer(),
    ];
    const raw = Buffer.concat([Buffer.from(ppmHeader(480, 270)), await picture(480, 270, '#f00').raw().toBuffer()]);
    const output = out('100%d sheet.png');
    await media.contactSheet(
      [
        { before: red, after: blue },
        { before: raw, after: red },
      ],
      output,
    );
    const { data: pixels, info } = await sharp(readFileSync(output)).raw().toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 2 * 591 + 3 * 6, height: 2 * 332 + 3 * 6 });
    const at = (x: number, y: number) => [...pixels.subarray((y * info.width + x) * info.channels).subarray(0, 3)];
    expect([at(20, 20), at(20, 400), at(720, 400), at(3, 3)]).toEqual([
      [255, 0, 0],
      [255, 0, 0],
      [255, 0, 0],
      [32, 32, 32],
    ]);
    expect(at(898, 140)[2]).toBeGreaterThan(240);
  });

  it('says what is wrong with no pictures, and with one that is none', async () => {
    await expect(media.contactSheet([], out('none.png'))).rejects.toMatchObject({ blame: 'user' });
    const bad = Buffer.from('no picture');
    await expect(media.contactSheet([{ before: bad, after: bad }], out('bad.png'))).rejects.toMatchObject({
      blame: 'user',
    });
  });
});
