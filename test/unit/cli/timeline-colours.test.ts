import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { CATEGORIES } from '../../../src/cli/trace/tree.js';

const CSS = readFileSync(path.resolve(import.meta.dirname, '../../../src/cli/trace/page/timeline.css'), 'utf8');

/** The colours of the n-th `:root` of the style sheet by their names. */
function coloursOf(theme: number): Map<string, number[]> {
  const block = CSS.split(':root {')[theme + 1]?.split('}')[0] ?? '';
  return new Map(
    [...block.matchAll(/--(\w+): #([\da-f]+);/g)].map(([, name = '', digits = '']) => {
      const long = digits.length === 3 ? digits.replaceAll(/./g, '$&$&') : digits;
      return [name, [0, 2, 4].map((at) => parseInt(long.slice(at, at + 2), 16) / 255)];
    }),
  );
}

/** Relative luminance and contrast as WCAG 2.2 defines them. */
const luminance = (colour: number[]) =>
  colour
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * ([0.2126, 0.7152, 0.0722][index] ?? 0), 0);

describe.each([
  ['light', 0],
  ['dark', 1],
])('the %s colours', (_, theme) => {
  const colours = coloursOf(theme);
  const contrast = (one: string, other: string) => {
    const [darker = 0, lighter = 0] = [one, other]
      .map((name) => luminance(colours.get(name) ?? [NaN, NaN, NaN]))
      .toSorted((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05);
  };

  test.each(['text', 'quiet', 'failed'])('%s can be read on every ground', (name) => {
    for (const ground of ['back', 'panel', 'chosen'])
      expect(contrast(name, ground), ground).toBeGreaterThanOrEqual(4.5);
  });

  test.each([...CATEGORIES, 'failed', 'focus'])('%s stands out from what is behind it', (name) => {
    for (const ground of ['back', 'panel', 'chosen']) expect(contrast(name, ground), ground).toBeGreaterThanOrEqual(3);
  });
});
