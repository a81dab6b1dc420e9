import { describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { draftCard } from '../../../src/model-card/draft-card.js';
import type { TensorSignature } from '../../../src/model-card/signature.js';

const tensor = (name: string, shape: TensorSignature['shape'], type = 'float32') => ({ name, type, shape });
const inputs = [tensor('x', [1, 3, 64, 64])];
const nothing = { metadata: {}, texts: [], makers: {}, operators: [] };

/** Detectors as they are exported. */
const MODELS = {
  'boxes and scores of each class': [tensor('scores', [1, 4420, 2]), tensor('boxes', [1, 4420, 4])],
  'chosen boxes of one picture': [tensor('boxes', ['n', 4]), tensor('labels', ['n'], 'int64'), tensor('scores', ['n'])],
  'chosen boxes of a batch': [
    tensor('num_detections', [1]),
    tensor('detection_boxes', [1, 100, 4]),
    tensor('detection_scores', [1, 100]),
    tensor('detection_classes', [1, 100]),
  ],
  'a list of columns': [tensor('output0', [1, 84, 8400])],
  'a list of columns for two classes': [tensor('output0', [1, 6, 8400])],
  'a list of rows': [tensor('output0', [1, 25_200, 85])],
  'a list of chosen rows': [tensor('output0', [1, 300, 6])],
};
const complete = (outputs: TensorSignature[], output = {}) =>
  completeCard({ output: { kind: 'detections', ...output } }, { inputs, outputs }).output;

describe('the draft for a detector', () => {
  it.each<[keyof typeof MODELS, object]>([
    ['boxes and scores of each class', { name: 'scores', boxes: 'boxes', format: 'ltrb', unit: 'fraction' }],
    ['chosen boxes of one picture', { name: 'scores', boxes: 'boxes', classes: 'labels' }],
    [
      'chosen boxes of a batch',
      { name: 'detection_scores', boxes: 'detection_boxes', classes: 'detection_classes', format: 'ltrb' },
    ],
    ['a list of columns', { name: 'output0', boxes: 'output0', format: 'center', unit: 'pixel', transposed: true }],
    ['a list of columns for two classes', { name: 'output0', format: 'center', transposed: true }],
    ['a list of rows', { name: 'output0', boxes: 'output0', format: 'center', unit: 'pixel' }],
    ['a list of chosen rows', { name: 'output0', boxes: 'output0', classes: 'output0', format: 'ltrb' }],
  ])('that gives %s can be used and asks for the rest', (name, expected) => {
    const model = { inputs, outputs: MODELS[name] };
    const { card, questions } = draftCard(model, nothing);
    expect(completeCard(card, model).output).toEqual({ ...card.output, kind: 'detections' });
    expect(card.output).toMatchObject({ kind: 'detections', ...expected });
    for (const property of ['output.format', 'output.unit', 'output.labels', 'input.size.keepProportions'])
      expect(questions.join()).toContain(`"${property}"`);
  });

  it.each([
    ['a sequence of features', [1, 197, 768]],
    ['text', ['n', 'length', 6625]],
    ['a mask', [1, 64, 64]],
  ])('does not take %s for boxes', (_what, shape) => {
    const { card } = draftCard({ inputs, outputs: [tensor('y', shape)] }, nothing);
    expect(card.output?.kind).not.toBe('detections');
  });
});

describe('the card of a detector', () => {
  it('takes the only output for boxes and scores, in columns where there are more of them', () => {
    expect(complete(MODELS['a list of columns'])).toMatchObject({
      name: 'output0',
      boxes: 'output0',
      transposed: true,
    });
    expect(complete(MODELS['a list of rows'])).not.toHaveProperty('transposed');
    expect(complete(MODELS['a list of columns'], { labels: Array<string>(80).fill('x') })).toHaveProperty('labels');
    const labels = Array<string>(80).fill('x');
    expect(complete(MODELS['a list of rows'], { objectness: true, labels })).toHaveProperty('objectness', true);
  });

  const several = MODELS['chosen boxes of a batch'];
  const names = { name: 'detection_scores', boxes: 'detection_boxes' };
  it.each<[string, TensorSignature[], object, string]>([
    ['outputs of other names', several, {}, 'names the output "scores", but the model has only "num_detections"'],
    ['classes that are not there', several, { ...names, classes: 'kinds' }, 'names the output "kinds"'],
    [
      'scores as boxes',
      several,
      { name: 'detection_boxes', boxes: 'detection_scores' },
      'gives 100 numbers for each box instead of 4',
    ],
    [
      'too few numbers',
      [tensor('y', [1, 300, 5])],
      { classes: 'y' },
      'gives 5 numbers for each box instead of 6 or more',
    ],
    ['a picture', [tensor('y', [1, 3, 64, 64])], {}, 'is not a list of boxes'],
    ['whole numbers as scores', [tensor('y', [1, 300, 6], 'int64')], {}, 'has a type that cannot be read'],
    ['rules for one tensor', several, { ...names, objectness: true }, 'are for one tensor with both boxes and scores'],
    [
      'labels for other classes',
      MODELS['a list of columns'],
      { labels: ['a'] },
      'gives 80 classes, but its card or label file names 1',
    ],
  ])('is refused with %s', (_what, outputs, output, says) => {
    expect(() => complete(outputs, output)).toThrow(says);
  });
});
