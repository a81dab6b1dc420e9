import type ort from 'onnxruntime-node';
import { JobError, messageOf } from '../job/failure.js';
import { completeCard, type ModelCard } from '../job/model-card.js';
import type { ModelSignature } from '../job/model-signature.js';
import type { LoadRequest, ScoredFrame } from './engine-protocol.js';
import { constantTensor, createFeeder } from './feeder.js';
import { planInput } from './geometry.js';
import type { Picture, Size } from './picture.js';
import { outputNames, type Outputs, readOutput } from './read-output.js';
import { loadSession, signatureOf } from './session.js';

/** One session and the tensors it is fed with; scores one frame at a time. */
export interface LoadedModel {
  /**
   * @param frame already scaled as the card asks; it is padded here.
   * @param original the frame's size before that.
   * @throws JobError `item`: the model refused the frame or gave nothing usable.
   */
  score(frame: Picture, original: Size): Promise<ScoredFrame>;
  release(): Promise<void>;
}

/** @throws JobError `user`: the file is no model that can be run, or the card does not go with it. */
export async function loadModel({ model, card, style, threads, device }: LoadRequest): Promise<LoadedModel> {
  const session = await loadSession(model, 'The model', threads, device);
  const signature = signatureOf(session);
  completeCard(card, signature);
  const batch = batchOf(card.input.name, signature);
  const constants: Outputs = {};
  for (const tensor of signature.inputs) {
    const values = card.constants?.[tensor.name];
    if (values !== undefined) constants[tensor.name] = constantTensor(tensor, values);
  }
  if (style && card.style)
    constants[card.style.name] = createFeeder(card.style, batchOf(card.style.name, signature))(style);
  const feed = createFeeder(card.input, batch);
  const infer = createInference(session, card);
  return {
    score: async (frame, original) => {
      const started = performance.now();
      const feeds = { ...constants, [card.input.name]: feed(frame) };
      const prepared = performance.now();
      const outputs = await infer(feeds);
      const inferred = performance.now();
      const plan = planInput(card.input.size, frame);
      const output = readOutput(outputs, card, { frame, original, plan, batch });
      const finished = performance.now();
      return { output, prepare: prepared - started, infer: inferred - prepared, finish: finished - inferred };
    },
    release: () => session.release(),
  };
}

/** Pictures the model takes at a time; 1 where it is free. */
function batchOf(name: string, { inputs }: ModelSignature): number {
  const batch = inputs.find((tensor) => tensor.name === name)?.shape[0];
  return typeof batch === 'number' ? batch : 1;
}

/**
 * Runs the session. The tensors of one run take the outputs of the next while the input keeps its size: nothing large is
 * allocated for a frame. What a run gives holds until the next one.
 */
function createInference(session: ort.InferenceSession, card: ModelCard): (feeds: Outputs) => Promise<Outputs> {
  const names = outputNames(card);
  let reusable: { input: ort.Tensor | undefined; outputs: Outputs } | undefined;
  let shapesVary = false;
  return async (feeds) => {
    const input = feeds[card.input.name];
    const reuse = reusable?.input === input ? reusable : undefined;
    reusable = undefined;
    let outputs: Outputs;
    try {
      outputs = await run(session, feeds, reuse?.outputs ?? names);
    } catch (error) {
      if (reuse === undefined) throw error;
      outputs = await run(session, feeds, names);
      // The same input size gave outputs of another size.
      shapesVary = true;
    }
    if (!shapesVary) reusable = { input, outputs };
    return outputs;
  };
}

async function run(session: ort.InferenceSession, feeds: Outputs, fetches: string[] | Outputs): Promise<Outputs> {
  let given: ort.InferenceSession.OnnxValueMapType;
  try {
    given = Array.isArray(fetches) ? await session.run(feeds, fetches) : await session.run(feeds, fetches);
  } catch (cause) {
    throw new JobError('item', `the model failed: ${messageOf(cause).slice(0, 300)}`, { cause });
  }
  const outputs: Outputs = {};
  for (const [name, value] of Object.entries(given)) if ('dims' in value) outputs[name] = value;
  return outputs;
}
