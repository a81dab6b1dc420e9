import { describe, expect, it } from 'vitest';
import { JobError } from '../../../src/job/failure.js';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { type ImageOutput, type ModelCard, modelCardSchema, type PartialCard } from '../../../src/model-card/schema.js';
import type { ModelSignature, TensorSignature } from '../../../src/model-card/signature.js';

const tensor = (name: string, shape: TensorSignature['shape'], type = 'float32'): TensorSignature => ({
  name,
  type,
  shape,
});
const model = (inputs: TensorSignature[], outputs: TensorSignature[]): ModelSignature => ({ inputs, outputs });

const free = tensor('image', ['batch', 3, 'height', 'width']);
const freeOut = tensor('stylized', ['batch', 3, 'h_out', 'w_out']);
const anySize = { fixed: null, longestSide: null, multipleOf: 1, minimum: 1 };

/** What a card says of the size of pictures that come out. */
function pick(output: ModelCard['output']): object {
  const { fit, scale, size } = output as ImageOutput;
  return { fit, ...(scale !== undefined && { scale }), ...(size && { size }) };
}

function refusal(card: PartialCard, signature: ModelSignature): string {
  try {
    completeCard(card, signature);
  } catch (error) {
    if (error instanceof JobError && error.blame === 'user') return error.message;
    throw error;
  }
  throw new Error('not refused');
}

describe('completeCard fills in what the card leaves out', () => {
  it('from a model with free sizes', () => {
    expect(completeCard({}, model([free], [freeOut]))).toEqual({
      description: '',
      input: { name: 'image', layout: 'NCHW', type: 'float32', channels: 'RGB', range: [0, 255], size: anySize },
      style: null,
      output: {
        name: 'stylized',
        layout: 'NCHW',
        type: 'float32',
        channels: 'RGB',
        range: [0, 255],
        fit: 'crop',
        assumed: true,
      },
    });
  });

  it('from what the model’s metadata say, where the card says nothing', () => {
    const metadata = { 'Image.BitmapPixelFormat': 'Bgr8', 'Image.NominalPixelRange': 'Normalized_1_1' };
    const windows = { ...model([free], [freeOut]), hints: { metadata, texts: [], makers: {} } };
    const found = completeCard({}, windows);
    expect(found.input).toMatchObject({ channels: 'BGR', range: [-1, 1] });
    expect(found.output).toMatchObject({ channels: 'BGR', range: [-1, 1] });
    expect(found.output).not.toHaveProperty('assumed');
    expect(completeCard({ input: { channels: 'RGB', range: [0, 1] } }, windows).input).toMatchObject({
      channels: 'RGB',
      range: [0, 1],
    });
    const texts = ['Image(s) in BGR format.'];
    const core = { ...model([free], [freeOut]), hints: { metadata: {}, texts, makers: {} } };
    expect(completeCard({}, core).input).toMatchObject({ channels: 'BGR', range: [0, 255] });
  });

  it('and marks a range that nobody said, until the card says it', () => {
    const signature = model([free], [freeOut]);
    expect(completeCard({ input: { range: [0, 1] } }, signature).output).toHaveProperty('assumed', true);
    expect(completeCard({ output: { range: [0, 1] } }, signature).output).not.toHaveProperty('assumed');
    const whole = completeCard({}, signature);
    expect(completeCard(whole, signature)).toEqual(whole);
  });

  it('from a model with a fixed size', () => {
    const card = completeCard({}, model([tensor('in', ['None', 3, 720, 640])], [tensor('out', ['None', 3, 720, 640])]));
    expect(card.input.size).toEqual({ ...anySize, fixed: [640, 720] });
    expect(card.output).toMatchObject({ fit: 'crop' });
  });

  it.each([
    ['enlarges it', [96, 72], { fit: 'crop', scale: 3 }],
    ['enlarges it by a fraction', [48, 36], { fit: 'crop', scale: 1.5 }],
    ['rounds it up', [36, 28], { fit: 'resize' }],
    ['reduces it', [16, 12], { fit: 'crop', scale: 0.5 }],
    ['reduces it to a trace', [4, 3], { fit: 'resize' }],
    ['stretches it', [64, 24], { fit: 'resize' }],
  ])('from a model with a fixed size that %s', (_what, [width = 0, height = 0], output) => {
    const card = completeCard({}, model([tensor('in', [1, 3, 24, 32])], [tensor('out', [1, 3, height, width])]));
    expect(pick(card.output)).toEqual(output);
  });

  it.each<[what: string, sizes: [number, number][], output: object]>([
    [
      'keeps every size',
      [
        [256, 192],
        [128, 192],
      ],
      { fit: 'crop' },
    ],
    [
      'enlarges twice',
      [
        [512, 384],
        [256, 384],
      ],
      { fit: 'crop', scale: 2 },
    ],
    [
      'enlarges four times',
      [
        [1024, 768],
        [512, 768],
      ],
      { fit: 'crop', scale: 4 },
    ],
    [
      'enlarges by a half',
      [
        [384, 288],
        [192, 288],
      ],
      { fit: 'crop', scale: 1.5 },
    ],
    [
      'enlarges by a third',
      [
        [341, 256],
        [170, 256],
      ],
      { fit: 'crop', scale: 4 / 3 },
    ],
    [
      'adds a border',
      [
        [264, 200],
        [136, 200],
      ],
      { fit: 'crop' },
    ],
    [
      'gives one size',
      [
        [640, 360],
        [640, 360],
      ],
      { fit: 'resize', size: [640, 360] },
    ],
    [
      'gives one size that is twice the first',
      [
        [512, 384],
        [512, 384],
      ],
      { fit: 'resize', size: [512, 384] },
    ],
    [
      'reduces to a trace',
      [
        [32, 24],
        [16, 24],
      ],
      { fit: 'resize' },
    ],
  ])('from runs of a model with free sizes that %s', (_what, [one = [0, 0], two = [0, 0]], output) => {
    const run = (width: number, height: number, [outWidth, outHeight]: [number, number]) => ({
      input: { width, height },
      outputs: { stylized: [1, 3, outHeight, outWidth] },
    });
    const card = completeCard({}, model([free], [freeOut]), undefined, [run(256, 192, one), run(128, 192, two)]);
    expect(pick(card.output)).toEqual(output);
  });

  it('keeps to what the card says of the size of the result, whatever runs show', () => {
    const runs = [{ input: { width: 64, height: 64 }, outputs: { stylized: [1, 3, 256, 256] } }];
    const outputs = [
      { scale: 4 },
      { fit: 'resize' as const },
      { fit: 'resize' as const, scale: 2 },
      { size: [30, 20] as [number, number] },
    ];
    expect(
      outputs.map((output) => pick(completeCard({ output }, model([free], [freeOut]), undefined, runs).output)),
    ).toEqual([
      { fit: 'crop', scale: 4 },
      { fit: 'resize' },
      { fit: 'resize', scale: 2 },
      { fit: 'resize', size: [30, 20] },
    ]);
  });

  it('refuses a card that says another size than runs show', () => {
    const runs = [{ input: { width: 64, height: 64 }, outputs: { stylized: [1, 3, 256, 256] } }];
    for (const output of [{ scale: 1.5 }, { fit: 'crop' as const }])
      expect(() => completeCard({ output }, model([free], [freeOut]), undefined, runs)).toThrow(
        /256\].* of 64x64 pixels/,
      );
  });

  it.each<[string, TensorSignature['shape'], PartialCard, object]>([
    ['three dimensions', ['b', 'h', 'w'], { output: { kind: 'image' } }, {}],
    ['two dimensions', ['h', 'w'], { output: { channels: 'grey' } }, {}],
    ['a range in the card', [1, 320, 480], { output: { kind: 'image', range: [0, 9] } }, { range: [0, 9] }],
    ['four dimensions', ['b', 1, 'h', 'w'], { output: { kind: 'image' } }, {}],
  ])('from a model of depth with %s, and makes grey pictures of the frame’s size', (_what, shape, card, more) => {
    const signature = model([free], [tensor('predicted_depth', shape)]);
    const expected = { channels: 'grey', range: 'auto', fit: 'resize', ...more };
    const found = completeCard(card, signature);
    expect(found.output).toMatchObject(expected);
    expect(found.output).not.toHaveProperty('mean');
    expect(completeCard(found, signature)).toEqual(found);
    expect(completeCard({}, signature).output).toMatchObject({ channels: 'grey', range: 'auto' });
    const runs = [{ input: { width: 64, height: 32 }, outputs: { predicted_depth: [1, 16, 32] } }];
    expect(completeCard(card, signature, undefined, runs).output).toMatchObject(expected);
    const tiled: PartialCard = { ...card, input: { size: { tiles: { size: [64, 64] } } } };
    expect(refusal(tiled, signature)).toMatch(/"size\.tiles"/);
  });

  it.each<[string, TensorSignature[], PartialCard]>([
    ['two inputs', [tensor('img0', [1, 3, 'h', 'w']), tensor('img1', [1, 3, 'h', 'w'])], {}],
    [
      'a second input',
      [tensor('img0', [1, 3, 'h', 'w']), tensor('img1', [1, 3, 'h', 'w'])],
      { input: { name: 'img0' } },
    ],
    ['channels', [tensor('input', ['b', 8, 'h', 'w'])], {}],
    ['channels at the end', [tensor('input', [1, 256, 256, 6])], {}],
    ['a dimension of its own', [tensor('clip', [1, 7, 3, 'h', 'w'])], {}],
  ])('refuses several frames at once plainly, as %s', (_what, inputs, card) => {
    expect(refusal(card, model(inputs, [freeOut]))).toMatch(/frames .*at once.* do not run yet/);
  });

  it('takes a map of values that nothing calls a depth for a picture only where the card says so', () => {
    const signature = model([free], [tensor('y', ['b', 'h', 'w'])]);
    expect(refusal({}, signature)).toMatch(/no picture of three colours.*"output\.kind".*depth maps "image"/);
    expect(completeCard({ output: { kind: 'image' } }, signature).output).toMatchObject({ range: 'auto' });
  });

  it('from a model with bytes and channels last', () => {
    const card = completeCard(
      {},
      model([tensor('in', ['b', 'h', 'w', 3], 'uint8')], [tensor('out', ['b', 'h', 'w', 3], 'uint8')]),
    );
    expect(card.input).toMatchObject({ layout: 'NHWC', type: 'uint8', range: [0, 255] });
    expect(card.output).toMatchObject({ layout: 'NHWC', type: 'uint8', range: [0, 255] });
  });

  it('takes the input called style as the style', () => {
    const style = tensor('the_Style', ['b', 3, 'sh', 'sw']);
    const card = completeCard({ input: { range: [0, 1] } }, model([style, free], [freeOut]));
    expect(card.input.name).toBe('image');
    expect(card.style).toMatchObject({ name: 'the_Style', range: [0, 1], size: { ...anySize, longestSide: 512 } });
    expect(card.output).toMatchObject({ range: [0, 1] });
  });

  it('lets a lone input be called style', () => {
    expect(completeCard({}, model([tensor('style_me', ['b', 3, 'h', 'w'])], [freeOut])).style).toBeNull();
  });

  it('lets the card name the inputs', () => {
    const [one, two] = [tensor('one', [1, 224, 224, 3]), tensor('two', [1, 224, 224, 3])];
    const card = completeCard(
      { input: { name: 'two' }, style: { name: 'one' } },
      model([one, two], [tensor('sum', [1, 224, 224, 3])]),
    );
    expect([card.input.name, card.style?.name]).toEqual(['two', 'one']);
    expect(card.style?.size).toEqual({ ...anySize, fixed: [224, 224] });
  });

  it('takes the output of unknown shape when there is no better one', () => {
    const card = completeCard({}, model([free], [tensor('loss', [1]), tensor('out', [])]));
    expect(card.output).toMatchObject({ name: 'out', layout: 'NCHW' });
  });

  it('takes the one picture among several outputs', () => {
    expect(completeCard({}, model([free], [tensor('scores', [1, 10]), freeOut])).output.name).toBe('stylized');
  });

  it('hands the channel order and the range on to style and output', () => {
    const card = completeCard(
      { input: { channels: 'BGR', range: [-1, 1] } },
      model([free, tensor('style', ['b', 3, 'h', 'w'])], [freeOut]),
    );
    expect(card.style).toMatchObject({ channels: 'BGR', range: [-1, 1] });
    expect(card.output).toMatchObject({ channels: 'BGR', range: [-1, 1] });
  });

  it('stores a tensor of any numbers as it is', () => {
    const card = completeCard({ output: { kind: 'tensor' } }, model([free], [tensor('ids', [1, 5], 'int64')]));
    expect(card.output).toEqual({ kind: 'tensor', name: 'ids' });
  });

  it('leaves a complete card as it is', () => {
    const signature = model([free, tensor('style', ['b', 3, 'h', 'w'])], [freeOut]);
    const card = completeCard({ input: { size: { multipleOf: 4, minimum: 8, longestSide: 640 } } }, signature);
    expect(modelCardSchema.parse(card)).toEqual(card);
    expect(completeCard(card, signature)).toEqual(card);
  });
});

it.each(['image', 'mask', 'tensor'] as const)('a label file is refused for a model that gives a %s', (kind) => {
  const picture = model([tensor('x', [1, 3, 'h', 'w'])], [tensor('y', [1, 3, 'h', 'w'])]);
  const card: PartialCard = { output: { kind } };
  expect(() => completeCard(card, picture, ['a', 'b', 'c'])).toThrow(/label file .* leave it out/);
  expect(completeCard(card, picture).output).toMatchObject({ name: 'y' });
});

describe('completeCard refuses in one sentence', () => {
  const ok = model([free], [freeOut]);
  const cases: [what: string, card: PartialCard, signature: ModelSignature, says: string][] = [
    [
      'an input that is not there',
      { input: { name: 'x' } },
      ok,
      'names the input "x", but the model has only "image" float32 [batch,3,height,width]',
    ],
    ['an output that is not there', { output: { name: 'x' } }, ok, 'names the output "x"'],
    ['one input for two', { input: { name: 'image' }, style: { name: 'image' } }, ok, 'for both frame and style'],
    ['a style the model has not', { style: { range: [0, 1] } }, ok, 'leave "style" out'],
    ['another element type', { input: { type: 'uint8' } }, ok, `correct the card's "type"`],
    [
      'another layout',
      { input: { layout: 'NHWC' } },
      model([tensor('in', ['b', 3, 'h', 4])], [freeOut]),
      'with the layout NHWC',
    ],
    [
      'double-precision inputs',
      { input: { name: 'data_0' } },
      model([tensor('data_0', [1, 3, 224, 224], 'float64')], [freeOut]),
      'export it with float32, float16 or uint8',
    ],
    [
      'a range that bytes cannot hold',
      { input: { range: [-1, 1] } },
      model([tensor('in', ['b', 'h', 'w', 3], 'uint8')], [freeOut]),
      'uint8 holds only 0..255',
    ],
    [
      'a vector',
      {},
      model([tensor('Input3', [1, 784])], [tensor('logits', [1, 10])]),
      'no input for a picture of three colours but "Input3" float32 [1,784]',
    ],
    ['no input at all', {}, model([], [freeOut]), 'The model has no input, so it takes no picture'],
    ['no output at all', {}, model([free], []), 'The model has no output'],
    ['no output at all for boxes', { output: { kind: 'detections' } }, model([free], []), 'The model has no output'],
    [
      'one picture without a batch',
      {},
      model([tensor('image', [3, 'h', 'w'])], [tensor('y', [3, 'h', 'w'])]),
      'takes one picture without a dimension for the batch',
    ],
    [
      'a batch of none',
      {},
      model([tensor('data', [0, 3, 224, 224])], [tensor('y', [0, 1000])]),
      '"data" float32 [0,3,224,224] has a dimension of 0',
    ],
    [
      'a grey model that is called RGB',
      { input: { name: 'y', channels: 'RGB', layout: 'NCHW' } },
      model([tensor('y', [1, 1, 28, 28])], [freeOut]),
      'not a picture of three colours',
    ],
    [
      'scores instead of a picture',
      {},
      model([free], [tensor('scores', [1, 4420, 2])]),
      'gives no picture of three colours but "scores"',
    ],
    [
      'two pictures in',
      {},
      model([tensor('a', [1, 3, 8, 8]), tensor('b', [1, 3, 8, 8])], [freeOut]),
      'several picture inputs',
    ],
    ['two pictures out', {}, model([free], [freeOut, tensor('mask', ['b', 3, 'h', 'w'])]), 'several pictures'],
    [
      'another input',
      {},
      model([free, tensor('alpha', [1])], [freeOut]),
      'also needs a value for its input "alpha" float32 [1]',
    ],
    [
      'a constant for the picture',
      { input: { name: 'image' }, constants: { image: [1] } },
      model([free], [freeOut]),
      'both a constant and a picture',
    ],
    ['a constant for nothing', { constants: { beta: [1] } }, model([free], [freeOut]), 'names the input "beta"'],
    [
      'more constants than the input holds',
      { constants: { alpha: [1, 2, 3] } },
      model([free, tensor('alpha', ['b', 2])], [freeOut]),
      'gives the input "alpha" float32 [b,2] 3 constants, but it holds 2',
    ],
    [
      'a constant of a type that is not written',
      { constants: { alpha: [1] } },
      model([free, tensor('alpha', [1], 'string')], [freeOut]),
      '"alpha" (a text) cannot have a constant: export it as one of float32',
    ],
    [
      'a part of a whole number',
      { constants: { alpha: [1, 0.5] } },
      model([free, tensor('alpha', [2], 'int64')], [freeOut]),
      'the constant 0.5, but it holds whole numbers from',
    ],
    [
      'a constant too large for a byte',
      { constants: { alpha: [256] } },
      model([free, tensor('alpha', [1], 'uint8')], [freeOut]),
      'the constant 256, but it holds whole numbers from 0 to 255',
    ],
    [
      'two numbers for three channels',
      { input: { mean: [1, 2] } },
      ok,
      '2 numbers as "mean": give one for all channels, or three',
    ],
    [
      'three numbers for one channel',
      { input: { std: [1, 2, 3] } },
      model([tensor('y', [1, 1, 28, 28])], [tensor('p', [1, 1, 28, 28])]),
      '3 numbers as "std": give one for all channels.',
    ],
    ['a coloured model that is called grey', { input: { channels: 'grey' } }, ok, 'is not a picture of one channel'],
    ['a layout that the model shows to be wrong', { input: { layout: 'NHWC' } }, ok, 'with the layout NHWC'],
    [
      'a scale that the model has not',
      { output: { scale: 3 } },
      model([tensor('in', [1, 3, 64, 64])], [tensor('out', [1, 3, 128, 128])]),
      'of 64x64 pixels, which does not go with an "output.scale" of 3',
    ],
    [
      'two sizes of the result',
      { output: { scale: 2, size: [8, 8] } },
      ok,
      'both an "output.size" and an "output.scale"',
    ],
    [
      'a crop of one size',
      { output: { fit: 'crop', size: [8, 8] } },
      ok,
      'both an "output.size" and "output.fit": "crop"',
    ],
    [
      'tiles that a fraction enlarges',
      { input: { size: { tiles: { size: [64, 64] } } }, output: { scale: 1.5 } },
      ok,
      'leave the tiles out',
    ],
    [
      'a crop of a smaller picture',
      { output: { fit: 'crop' } },
      model([tensor('in', [1, 3, 64, 64])], [tensor('out', [1, 3, 32, 64])]),
      'of 64x64 pixels, which does not go with an "output.scale" of 1: correct it, or set "output.fit" to "resize"',
    ],
    [
      'a tensor that no file holds',
      { output: { kind: 'tensor' } },
      model([free], [tensor('s', [1], 'string')]),
      'holds no numbers',
    ],
    [
      'proportions of pictures that are not stretched',
      { input: { size: { keepProportions: true } } },
      ok,
      'whose pictures are never stretched: leave it out',
    ],
    [
      'several outputs of which none is named',
      { output: { kind: 'classes' } },
      model([free], [tensor('a', [1, 10]), tensor('b', [1, 10])]),
      'name one as "output.name"',
    ],
    [
      'an output of whole numbers',
      { output: { kind: 'classes' } },
      model([free], [tensor('a', [1, 10], 'int64')]),
      '"a" int64 [1,10] has a type that no scores are read from: set "output.kind" to "tensor" to store it as it is, or export it as float32.',
    ],
    [
      'the best class of each pixel as classes',
      { output: { kind: 'classes' } },
      model([free], [tensor('a', [1, 64, 64], 'int64')]),
      'has a type that no scores are read from: set "output.kind" to "mask" for the class of each pixel or to "tensor" to store it as it is, or export it as float32.',
    ],
    [
      'the best class of each pixel as a picture',
      { output: { kind: 'image', channels: 'grey' } },
      model([free], [tensor('a', [1, 1, 64, 64], 'int64')]),
      'has a type that no picture is read from: set "output.kind" to "mask" for the class of each pixel or to "tensor" to store it as it is, or export it as float32.',
    ],
    [
      'scores of a type that no file holds',
      { output: { kind: 'classes' } },
      model([free], [tensor('a', [1, 10], 'bfloat16')]),
      'has a type that cannot be read: export it as float32',
    ],
    [
      'a segmentation as classes',
      { output: { kind: 'classes' } },
      model([free], [tensor('y', [1, 21, 64, 64])]),
      '"y" float32 [1,21,64,64] holds more than one row of scores for a picture, and "classes" are one row, such as [1,1000]: set "output.kind" to "mask" for the class of each pixel or to "tensor" to store it as it is.',
    ],
    [
      'a picture as classes',
      { output: { kind: 'classes' } },
      model([free], [tensor('y', [1, 3, 4, 4])]),
      'set "output.kind" to "image" for a picture, to "mask" for the class of each pixel or to "tensor" to store it as it is.',
    ],
    [
      'boxes as classes',
      { output: { kind: 'classes' } },
      model([free], [tensor('y', [1, 8400, 85])]),
      'set "output.kind" to "detections" for boxes or to "tensor" to store it as it is.',
    ],
    [
      'more classes of each pixel than a mask tells apart',
      { output: { kind: 'classes' } },
      model([free], [tensor('y', [1, 1000, 7, 7])]),
      'set "output.kind" to "tensor" to store it as it is.',
    ],
    [
      'several rows from one picture at a time',
      { output: { kind: 'classes' } },
      model([tensor('x', [1, 3, 8, 8])], [tensor('y', [5, 1000])]),
      '"y" float32 [5,1000] holds more than one row of scores for a picture',
    ],
    [
      'another fixed size',
      { input: { size: { fixed: [8, 9] } } },
      model([tensor('in', [1, 3, 8, 8])], [freeOut]),
      'says 8x9, but the model says',
    ],
    ['half a fixed size', {}, model([tensor('in', [1, 3, 256, 'w'])], [freeOut]), 'give both as "size.fixed"'],
    [
      'two size rules',
      { input: { size: { multipleOf: 4 } } },
      model([tensor('in', [1, 3, 8, 8])], [freeOut]),
      'have no effect',
    ],
    [
      'a layout nobody says',
      { input: { name: 'in' } },
      model([tensor('in', ['a', 'b', 'c', 'd'])], [freeOut]),
      'set "layout" to NCHW or NHWC',
    ],
  ];
  it.each(cases)('%s', (_what, card, signature, says) => {
    const message = refusal(card, signature);
    expect(message).toContain(says);
    expect(message).toMatch(/^[A-Z].*\.$/);
  });

  it.each<[TensorSignature['shape'], TensorSignature['shape']]>([
    [
      [1, 1000],
      [1, 3, 8, 8],
    ],
    [[1000], [1, 3, 8, 8]],
    [
      [1, 1000, 1, 1],
      [1, 3, 8, 8],
    ],
    [
      [1, 1, 1000],
      [1, 3, 8, 8],
    ],
    [
      [4, 1000],
      [4, 3, 8, 8],
    ],
    [
      ['N', 1000, 'h', 'w'],
      ['N', 3, 8, 8],
    ],
    [[], ['N', 3, 8, 8]],
  ])('reads classes from %j that comes of %j', (given, taken) => {
    const card = completeCard({ output: { kind: 'classes' } }, model([tensor('x', taken)], [tensor('y', given)]));
    expect(card.output).toMatchObject({ kind: 'classes', name: 'y' });
  });

  it('refuses classes where a run shows more than one row of them', () => {
    const open = model([free], [tensor('y', ['batch', 21, 'h', 'w'])]);
    const run = { input: { width: 256, height: 192 }, outputs: { y: [1, 21, 24, 32] } };
    expect(() => completeCard({ output: { kind: 'classes' } }, open, undefined, [run])).toThrow(
      '"y" float32 [1,21,24,32] holds more than one row',
    );
  });

  it('fixes half a fixed size where the card says the rest', () => {
    const card = completeCard(
      { input: { size: { fixed: [320, 256] } } },
      model([tensor('in', [1, 3, 256, 'w'])], [freeOut]),
    );
    expect(card.input.size.fixed).toEqual([320, 256]);
  });
});
