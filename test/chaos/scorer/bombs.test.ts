import sharp, { type Sharp } from 'sharp';
import { expect, inject, it } from 'vitest';
import { cardOf, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';

const source = (): Sharp => sharp(paint(64, 48).data, { raw: { width: 64, height: 48, channels: 3 } });

/** An AVIF whose EXIF directories lead back to themselves, 5,450 times each, as many as fit: the picture library would read them for minutes. */
async function bomb(): Promise<Buffer> {
  const entries = 5450;
  const exif = Buffer.alloc(8 + 2 + entries * 12 + 4);
  exif.write('II*\0\b\0\0\0', 0, 'latin1');
  exif.writeUInt16LE(entries, 8);
  for (let at = 10; at + 12 < exif.length; at += 12) {
    exif.writeUInt16LE(0x8769, at);
    exif.writeUInt16LE(4, at + 2);
    exif.writeUInt32LE(1, at + 4);
    exif.writeUInt32LE(8, at + 8);
  }
  const file = await source()
    .withExif({ IFD0: { Copyright: 'x'.repeat(exif.length) } })
    .avif()
    .toBuffer();
  exif.copy(file, file.lastIndexOf('II*\0', file.indexOf('xxxxxxxx'), 'latin1'));
  return file;
}

it('a picture that would never be read fails alone, and its neighbours keep their own reasons', async () => {
  const card = await cardOf(STARRY_NIGHT, STARRY_NIGHT.replace('.onnx', '.json'));
  const job = await ScorerJob.create(inject('storage'), { model: STARRY_NIGHT, card });
  const jpeg = await source().jpeg().toBuffer();
  const files: Record<string, [Buffer, RegExp | undefined]> = {
    'bomb.avif': [await bomb(), /takes longer than 10 s/],
    'other-bomb.avif': [await bomb(), /takes longer than 10 s/],
    'empty.jpg': [Buffer.alloc(0), /is empty/],
    'text.jpg': [Buffer.from('no picture'), /is no JPEG/],
    'cut.webp': [(await source().webp().toBuffer()).subarray(0, 150), /is damaged|cut off/],
    'phone.jpg': [Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), /HEIC.*convert/],
    'fine.jpg': [jpeg, undefined],
    'fine.webp': [await source().webp().toBuffer(), undefined],
    'fine.gif': [await source().gif().toBuffer(), undefined],
    'fine.tif': [await source().tiff().toBuffer(), undefined],
  };
  for (const [name, [file]] of Object.entries(files)) await job.addInputs({ [name.replace('.', '-')]: file });
  const { result } = await job.score(Object.keys(files).map((name) => name.replace('.', '-')));
  expect(result).toMatchObject({ outcome: 'completed' });
  const reasons = new Map(result.failed.map(({ name, reason }) => [name, reason]));
  for (const [name, [, says]] of Object.entries(files)) {
    const item = name.replace('.', '-');
    if (says === undefined) expect(result.done).toContain(item);
    else expect(reasons.get(item), item).toMatch(says);
  }
});
