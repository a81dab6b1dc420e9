import { describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { parseLabels } from '../../../src/model-card/labels.js';
import type { PartialOutput } from '../../../src/model-card/schema.js';
import type { TensorSignature } from '../../../src/model-card/signature.js';

describe('a label file', () => {
  it.each([
    ['one label per line', 'tench\nshark\n'],
    ['Windows line ends and a byte order mark', '\uFEFFtench\r\nshark\r\n'],
    ['a JSON list', '["tench", "shark"]'],
    ['a JSON object by index', '{"1": "shark", "0": "tench"}'],
    ['a JSON object with WordNet names', '{"0": ["n01440764", "tench"], "1": ["n01484850", "shark"]}'],
  ])('may be %s', (_what, text) => {
    expect(parseLabels(text)).toEqual(['tench', 'shark']);
  });

  it.each([
    ['empty', ' \n', 'holds no labels'],
    [
      'written by another alphabet',
      Buffer.from('caf\u00e9\nbar\n', 'latin1').toString(),
      'is not UTF-8 text: save it as UTF-8',
    ],
    ['in UTF-16', Buffer.from('\uFEFFone\ntwo\n', 'utf16le').toString(), 'is not UTF-8 text'],
    ['an object with a gap', '{"0": "a", "2": "b"}', 'has no label for class 1'],
    ['other JSON', '{"labels": ["a"]}', 'is neither a JSON list'],
    ['broken JSON', '["a"', 'begins like JSON but is not'],
  ])('is refused when it is %s', (_what, text, says) => {
    expect(() => parseLabels(text)).toThrow(says);
  });
});

describe('the labels of a card', () => {
  const tensor = (name: string, shape: TensorSignature['shape']) => ({ name, type: 'float32', shape });
  const inputs = [tensor('x', [1, 3, 8, 8])];
  const classifier = { inputs, outputs: [tensor('p', ['N', 2, 1, 1])] };
  const detector = { inputs, outputs: [tensor('scores', [1, 9, 2]), tensor('boxes', [1, 9, 4])] };
  const labelsOf = (card: PartialOutput, model: typeof classifier, file?: string[]) => {
    const { output } = completeCard({ output: card }, model, file);
    return 'labels' in output ? output.labels : undefined;
  };

  it.each<['classes' | 'detections', typeof classifier]>([
    ['classes', classifier],
    ['detections', detector],
  ])('of %s are those of the file or of the list, as many as the model has classes', (kind, model) => {
    expect(labelsOf({ kind, labels: 'names.txt' }, model, ['a', 'b'])).toEqual(['a', 'b']);
    expect(labelsOf({ kind }, model, ['a', 'b'])).toEqual(['a', 'b']);
    expect(labelsOf({ kind, labels: ['a', 'b'] }, model)).toEqual(['a', 'b']);
    expect(labelsOf({ kind }, model)).toEqual([]);
    const sentence = 'The model gives 2 classes, but its card or label file names 3: give one label for each class';
    expect(() => labelsOf({ kind, labels: ['a', 'b', 'c'] }, model)).toThrow(sentence);
    expect(() => labelsOf({ kind, labels: 'names.txt' }, model, ['a', 'b', 'c'])).toThrow(sentence);
  });

  it('must not be in a file that is not there, nor in two places', () => {
    const card: PartialOutput = { kind: 'classes', labels: 'names.txt' };
    expect(() => labelsOf(card, classifier)).toThrow('names the label file "names.txt", but it is not stored');
    expect(() => labelsOf({ ...card, labels: ['a', 'b'] }, classifier, ['a', 'b'])).toThrow('remove one of them');
  });
});
