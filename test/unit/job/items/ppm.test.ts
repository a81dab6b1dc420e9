import { describe, expect, test } from 'vitest';
import { MOST_HEADER_BYTES, ppmDamage, ppmHeader, readPpmHeader } from '../../../../src/job/items/ppm.js';

const bytes = (text: string, pixels = 0) => Buffer.concat([Buffer.from(text, 'latin1'), Buffer.alloc(pixels)]);

describe('the header of a PPM frame', () => {
  test.each([
    [1, 1],
    [45, 32],
    [1920, 1080],
    [999_999, 1],
  ])('of %i × %i pixels says how long the file is', (width, height) => {
    const header = ppmHeader(width, height);
    const pixelsAt = header.length;
    expect(pixelsAt).toBeLessThanOrEqual(MOST_HEADER_BYTES);
    const read = { width, height, pixelsAt, fileBytes: pixelsAt + 3 * width * height };
    expect(readPpmHeader(bytes(header))).toEqual(read);
    expect(readPpmHeader(bytes(header, 50))).toEqual(read);
  });

  test.each([
    ['', 'nothing'],
    ['P6\n45 32\n255', 'no last line break'],
    ['P5\n45 32\n255\n', 'grey'],
    ['P6 45 32 255\n', 'blanks for line breaks'],
    ['P6\r\n45 32\r\n255\r\n', 'the line breaks of Windows'],
    ['P6\n# a comment\n45 32\n255\n', 'a comment'],
    ['P6\n45 32\n65535\n', '16 bits'],
    ['P6\n45 0\n255\n', 'no height'],
    ['P6\n045 32\n255\n', 'a zero in front'],
    ['P6\n-45 32\n255\n', 'a negative width'],
    ['P6\n1000000 32\n255\n', 'a million columns'],
    [' P6\n45 32\n255\n', 'a blank before it'],
  ])('%j is none: %s', (text) => {
    expect(readPpmHeader(bytes(text, 100))).toBeUndefined();
  });
});

test('a PPM frame is damaged when it has more or fewer bytes than its header says, or no header', () => {
  const header = ppmHeader(5, 4);
  expect(ppmDamage(bytes(header, 60))).toBeUndefined();
  expect(ppmDamage(bytes(header, 59))).toBe('it is cut off');
  expect(ppmDamage(bytes(header))).toBe('it is cut off');
  expect(ppmDamage(bytes(header, 61))).toBe('it is longer than its header says');
  expect(ppmDamage(bytes('', 60))).toBe('its header is damaged');
});
