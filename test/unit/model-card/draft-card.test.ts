import { describe, expect, it } from 'vitest';
import { completeCard } from '../../../src/model-card/complete-card.js';
import { draftCard } from '../../../src/model-card/draft-card.js';
import type { ModelHints, TensorSignature } from '../../../src/model-card/signature.js';

const NOTHING: ModelHints = { metadata: {}, texts: [], makers: {} };
const tensor = (name: string, shape: TensorSignature['shape'], type = 'float32') => ({ name, type, shape });
const frame = tensor('x', [1, 3, 64, 64]);
const asked = (questions: string[]) =>
  questions.flatMap((question) =>
    [...question.matchAll(/"((?:input|output|style)\.\w+|constants)"/g)].map(([, at]) => at),
  );

describe('a drafted card', () => {
  it('asks for nothing that the model says', () => {
    const hints = {
      ...NOTHING,
      metadata: { 'Image.BitmapPixelFormat': 'Bgr8', 'Image.NominalPixelRange': 'Normalized_1_1', title: 'mine' },
    };
    const draft = draftCard({ inputs: [frame], outputs: [tensor('y', [1, 3, 64, 64])] }, hints);
    expect(draft).toEqual({
      card: {
        description: 'mine',
        input: { name: 'x', layout: 'NCHW', channels: 'BGR', range: [-1, 1], size: { fixed: [64, 64] } },
        output: { kind: 'image', name: 'y' },
      },
      questions: [],
    });
  });

  it('takes the order of the channels from what the author says of the tensors', () => {
    const hints = { ...NOTHING, texts: ['Image(s) in BGR format.'] };
    expect(draftCard({ inputs: [frame], outputs: [frame] }, hints).card.input?.channels).toBe('BGR');
    const torn = { ...NOTHING, texts: ['BGR, not RGB'] };
    expect(asked(draftCard({ inputs: [frame], outputs: [frame] }, torn).questions)).toContain('input.channels');
  });

  it('knows scores of classes, and probabilities by the operator that makes them', () => {
    const model = { inputs: [frame], outputs: [tensor('p', ['N', 10, 1, 1])] };
    expect(draftCard(model, { ...NOTHING, makers: { p: 'Softmax' } }).card.output).toMatchObject({
      kind: 'classes',
      softmax: false,
    });
    const { card, questions } = draftCard(model, { ...NOTHING, makers: { p: 'Gemm' } });
    expect(card.output).toMatchObject({ kind: 'classes', softmax: true });
    expect(asked(questions)).toEqual(expect.arrayContaining(['output.softmax', 'output.labels']));
    expect(questions.join()).toContain('What the 10 classes are called');
  });

  it('asks for the sizes of a model that takes any, and for the open side of one that fixes the other', () => {
    const draftOf = (shape: TensorSignature['shape']) => {
      const model = { inputs: [tensor('x', shape)], outputs: [tensor('y', [1, 9])] };
      const { card, questions } = draftCard(model, NOTHING);
      expect(questions.join()).not.toContain('$');
      return { size: completeCard(card, model).input.size.fixed, questions };
    };
    const any = draftOf(['n', 3, 'h', 'w']);
    expect(any.size).toBeNull();
    expect(asked(any.questions)).toEqual(expect.arrayContaining(['input.size', 'style.size']));
    const line = draftOf(['n', 3, 48, 'w']);
    expect(line.size).toEqual([48, 48]);
    expect(line.questions.join()).toMatch(/How wide .*"input\.size\.fixed".* 48 pixels high/);
  });

  it('names the outputs that it leaves out', () => {
    const { card, questions } = draftCard(
      { inputs: [frame], outputs: [tensor('loss', [1]), tensor('y', [1, 3, 64, 64])] },
      NOTHING,
    );
    expect(card.output?.name).toBe('y');
    expect(questions.join()).toContain('the model also gives "loss" float32 [1].');
  });

  it.each<[string, TensorSignature['shape']]>([
    ['y', [1, 64, 64]],
    ['depth', [1, 32, 32]],
    ['disparity', [1, 1, 64, 64]],
  ])('makes grey pictures of a map of values: %s %j', (name, shape) => {
    const model = { inputs: [frame], outputs: [tensor(name, shape)] };
    const { card, questions } = draftCard(model, NOTHING);
    expect(card.output).toEqual({ kind: 'image', name, channels: 'grey', range: 'auto' });
    expect(completeCard(card, model).output).toMatchObject({ fit: 'resize' });
    expect(asked(questions)).toContain('output.range');
  });

  it.each<TensorSignature['shape']>([
    [1, 21, 64, 64],
    [1, 21, 8, 8],
    ['N', 21, 'h', 'w'],
    [1, 7, 5],
  ])('takes more than one row of scores for no classes: %j', (...shape) => {
    const hints = { ...NOTHING, makers: { y: 'Softmax' } };
    const model = { inputs: [frame], outputs: [tensor('y', shape)] };
    const { card } = draftCard(model, hints);
    expect(card.output?.kind).toMatch(/^(mask|tensor)$/);
    expect(completeCard(card, model).output.kind).toBe(card.output?.kind);
  });

  it.each<[TensorSignature['shape'], string, string]>([
    [[1], 'int64', 'tensor'],
    [[1, 10], 'int64', 'tensor'],
    [[1, 10], 'float64', 'tensor'],
    [[1, 3, 64, 64], 'float64', 'tensor'],
    [[1, 64, 64], 'int64', 'mask'],
  ])('takes %j of %s for what can be read of it: %s', (shape, type, kind) => {
    const model = { inputs: [frame], outputs: [tensor('y', shape, type)] };
    const { card } = draftCard(model, NOTHING);
    expect(completeCard(card, model).output.kind).toBe(kind);
  });

  it('stores what it does not know as it is', () => {
    const model = { inputs: [frame], outputs: [tensor('y', [1, 7, 5])] };
    const { card, questions } = draftCard(model, NOTHING);
    expect(completeCard(card, model).output).toEqual({ kind: 'tensor', name: 'y' });
    expect(asked(questions)).toContain('output.kind');
  });
});
