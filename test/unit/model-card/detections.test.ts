import { describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { draftCard } from '../../../src/model-card/draft-card.js';
import type { ModelHints, TensorSignature } from '../../../src/model-card/signature.js';

const tensor = (name: string, shape: TensorSignature['shape'], type = 'float32') => ({ name, type, shape });
const inputs = [tensor('x', [1, 3, 640, 640])];
const nothing = { metadata: {}, texts: [], makers: {} };

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
      { name: 'detection_scores', boxes: 'detection_boxes', classes: 'detection_classes', format: 'tlbr' },
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
    ['a mask', [1, 640, 640]],
  ])('does not take %s for boxes', (_what, shape) => {
    const { card } = draftCard({ inputs, outputs: [tensor('y', shape)] }, nothing);
    expect(card.output?.kind).not.toBe('detections');
  });
});

describe('the card of a detector', () => {
  it('takes the top of a box first where the outputs have the names of TensorFlow', () => {
    const named = (suffix: string) =>
      MODELS['chosen boxes of a batch'].map((each) => ({ ...each, name: `${each.name}${suffix}` }));
    for (const suffix of ['', ':0']) {
      expect(complete(named(suffix))).toMatchObject({ format: 'tlbr', unit: 'fraction' });
      expect(complete(named(suffix), { format: 'ltrb' })).toMatchObject({ format: 'ltrb' });
    }
    expect(complete(MODELS['chosen boxes of one picture'])).toMatchObject({ format: 'ltrb' });
  });

  it('takes the only output for boxes and scores, in columns where there are more of them', () => {
    expect(complete(MODELS['a list of columns'])).toMatchObject({
      name: 'output0',
      boxes: 'output0',
      transposed: true,
    });
    expect(complete(MODELS['a list of rows'])).toMatchObject({ transposed: false, objectness: true, classCount: 80 });
    expect(complete(MODELS['a list of columns'], { labels: Array<string>(80).fill('x') })).toHaveProperty('labels');
    const labels = Array<string>(80).fill('x');
    expect(complete(MODELS['a list of rows'], { objectness: true, labels })).toHaveProperty('objectness', true);
  });

  const several = MODELS['chosen boxes of a batch'];
  const names = { name: 'detection_scores', boxes: 'detection_boxes' };
  it.each<[string, TensorSignature[], object, string]>([
    [
      'outputs that do not go together',
      [tensor('one', [1, 50, 7]), tensor('other', [1, 40, 9])],
      {},
      'names the output "scores", but the model has only "one"',
    ],
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

/** What Ultralytics writes into an export. */
const yolo = (task: string, names: string, more: Record<string, string> = {}) => ({
  ...nothing,
  metadata: { task, names, stride: '32', imgsz: '[640, 640]', ...more },
});
const people = "{0: 'person'}";
const coco = `{${Array.from({ length: 80 }, (_, index) => `${index}: 'class ${index}'`).join(', ')}}`;
const labels = Array<string>(80).fill('x');
const square = (side: number | string) => [tensor('images', ['batch', 3, side, side])];
const masks = tensor('output1', [1, 32, 160, 160]);

describe('the rows of a detector', () => {
  const rowsOf = (
    shape: TensorSignature['shape'],
    {
      card = {},
      hints,
      side = 640,
      others = [],
    }: { card?: object; hints?: ModelHints; side?: number | string; others?: TensorSignature[] } = {},
  ) =>
    completeCard(
      { output: { kind: 'detections', name: 'output0', boxes: 'output0', ...card } },
      { inputs: square(side), outputs: [tensor('output0', shape), ...others], ...(hints && { hints }) },
    ).output;

  it.each<[string, TensorSignature['shape'], Parameters<typeof rowsOf>[1], object]>([
    ['open axes', ['batch', 84, 'anchors'], { side: 'size' }, { transposed: true, classCount: 80 }],
    ['open axes in rows', ['batch', 'n', 84], { side: 'size' }, { transposed: false, classCount: 80 }],
    ['a tiny input and labels', [1, 84, 21], { side: 32, card: { labels } }, { transposed: true, classCount: 80 }],
    ['a tiny input alone', [1, 84, 21], { side: 32 }, { transposed: true, classCount: 80 }],
    [
      'a tiny input and metadata',
      [1, 56, 21],
      { side: 32, hints: yolo('pose', people, { kpt_shape: '[17, 3]' }) },
      { transposed: true, classCount: 1 },
    ],
    [
      'as many rows as columns',
      [1, 84, 84],
      { side: 64, hints: yolo('detect', coco) },
      { transposed: true, classCount: 80 },
    ],
    ['rows in a tiny input', [1, 63, 85], { side: 32 }, { transposed: false, objectness: true, classCount: 80 }],
    [
      'key points',
      [1, 56, 8400],
      { hints: yolo('pose', people, { kpt_shape: '[17, 3]' }) },
      { classCount: 1, objectness: false, labels: ['person'] },
    ],
    ['key points and a label', [1, 56, 8400], { card: { labels: ['person'] } }, { classCount: 1, labels: ['person'] }],
    ['masks', [1, 116, 8400], { hints: yolo('segment', coco), others: [masks] }, { classCount: 80, format: 'center' }],
    ['masks and labels', [1, 116, 8400], { card: { labels } }, { classCount: 80 }],
    ['masks that another output shows', [1, 116, 8400], { others: [masks] }, { classCount: 80 }],
    [
      'masks in rows with objectness',
      [1, 25_200, 117],
      { card: { labels }, others: [masks] },
      { classCount: 80, objectness: true },
    ],
    [
      'angles',
      [1, 20, 8400],
      { hints: yolo('obb', coco.replace(/, 15:.*/, '}')) },
      { classCount: 15, objectness: false },
    ],
    ['a number of classes in the card', [1, 56, 8400], { card: { classCount: 2 } }, { classCount: 2 }],
    ['objectness by the number of boxes', [1, 25_200, 25], {}, { objectness: true, classCount: 20 }],
    ['objectness by the labels', [1, 8400, 85], { card: { labels } }, { objectness: true, classCount: 80 }],
    [
      'objectness of the fifth generation',
      [1, 25_200, 85],
      { hints: { ...nothing, metadata: { names: coco, stride: '32' } } },
      { objectness: true, transposed: false, format: 'center', unit: 'pixel' },
    ],
    ['chosen boxes', [1, 300, 6], { card: { labels } }, { classes: 'output0', format: 'ltrb' }],
    [
      'chosen boxes of an export',
      [1, 300, 6],
      { hints: yolo('detect', coco) },
      { classes: 'output0', format: 'ltrb', unit: 'pixel' },
    ],
    [
      'chosen boxes with key points',
      [1, 300, 57],
      { hints: yolo('pose', people, { kpt_shape: '[17, 3]' }) },
      { classes: 'output0' },
    ],
    ['chosen boxes of one picture', ['n', 6], {}, { classes: 'output0' }],
    [
      'chosen boxes after the number of the picture',
      ['n', 7],
      {},
      { classes: 'output0', columns: { box: 1, score: 6, class: 5 } },
    ],
    ['the boxes of an SSD', [1, 1, 100, 7], {}, { classes: 'output0', columns: { box: 3, score: 2, class: 1 } }],
    [
      'RT-DETR',
      [1, 300, 84],
      { hints: yolo('detect', coco, { description: 'Ultralytics rtdetr-l model' }) },
      { transposed: false, unit: 'fraction', classCount: 80 },
    ],
  ])('are found with %s', (_what, shape, options, expected) => {
    const found = rowsOf(shape, options);
    expect(found).toMatchObject(expected);
    // The scorer completes the card once more, without metadata.
    const { side = 640, others = [] } = options ?? {};
    const again = { inputs: square(side), outputs: [tensor('output0', shape), ...others] };
    expect(completeCard({ output: found }, again).output).toEqual(found);
  });

  it('stay open where only a run shows them', () => {
    expect(rowsOf(['batch', 'm', 'n'], { side: 'size' })).not.toHaveProperty('transposed');
  });

  it.each<[string, TensorSignature['shape'], object, RegExp]>([
    ['as many rows as columns and nothing else', [1, 84, 84], {}, /rows or columns.*"output\.transposed"/],
    ['fewer labels than scores', [1, 84, 8400], { labels: labels.slice(5) }, /gives 80 classes.*names 75/],
    [
      'labels that are not as many as the card says',
      [1, 56, 8400],
      { labels, classCount: 1 },
      /gives 1 class, .*names 80/,
    ],
    [
      'more classes than there is room for',
      [1, 56, 8400],
      { classCount: 60 },
      /room for 52 scores.*"output\.classCount"/,
    ],
  ])('are refused with %s', (_what, shape, card, says) => {
    expect(() => rowsOf(shape, { card, side: shape[2] === 84 ? 64 : 640 })).toThrow(says);
  });
});

describe('a detector without a card', () => {
  it('is read as its metadata say, and drafted likewise', () => {
    const hints = yolo('pose', people, { kpt_shape: '[17, 3]', imgsz: '[480, 640]' });
    const model = { inputs: square('size'), outputs: [tensor('output0', ['batch', 56, 'anchors'])], hints };
    const whole = completeCard({}, model);
    expect(whole.input).toMatchObject({ range: [0, 1], size: { fixed: [640, 480], keepProportions: true } });
    expect(whole.output).toMatchObject({ kind: 'detections', format: 'center', unit: 'pixel', labels: ['person'] });
    const { card, questions } = draftCard(model, hints);
    expect(questions).toEqual([]);
    expect(completeCard(card, model)).toEqual(whole);
  });

  it('that tells classes gets their names', () => {
    const hints = yolo('classify', `["cat's", 'dog']`);
    const model = { inputs: square(224), outputs: [tensor('output0', [1, 2])], hints };
    expect(completeCard({}, model)).toMatchObject({
      input: { range: [0, 1] },
      output: { kind: 'classes', softmax: false, labels: ["cat's", 'dog'] },
    });
    expect(completeCard(draftCard(model, hints).card, model)).toEqual(completeCard({}, model));
  });
});

describe('boxes and scores in tensors of their own', () => {
  it.each<[string, TensorSignature[], object]>([
    ['in either order', [tensor('237', [1, 100, 4]), tensor('238', [1, 100, 21])], { name: '238', boxes: '237' }],
    ['the other way round', [tensor('a', [1, 100, 21]), tensor('b', [1, 100, 4])], { name: 'a', boxes: 'b' }],
    [
      'of four classes by name',
      [tensor('scores', [1, 100, 4]), tensor('locs', [1, 100, 4])],
      { name: 'scores', boxes: 'locs' },
    ],
    ['in columns', [tensor('boxes', [1, 4, 100]), tensor('scores', [1, 80, 100])], { transposed: true }],
    [
      'with the number of boxes',
      [
        tensor('num_dets', [1, 1], 'int32'),
        tensor('det_boxes', [1, 100, 4]),
        tensor('det_scores', [1, 100]),
        tensor('det_classes', [1, 100], 'int32'),
      ],
      { name: 'det_scores', boxes: 'det_boxes', classes: 'det_classes', count: 'num_dets' },
    ],
    [
      'as DETR gives them',
      [tensor('logits', [1, 100, 92]), tensor('pred_boxes', [1, 100, 4])],
      { name: 'logits', boxes: 'pred_boxes' },
    ],
  ])('are found %s', (_what, outputs, expected) => {
    expect(complete(outputs)).toMatchObject(expected);
  });
});
