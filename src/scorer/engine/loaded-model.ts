import type ort from 'onnxruntime-node';
import { JobError, messageOf } from '../../job/failure.js';
import { completeCard } from '../../model-card/complete-card.js';
import type { ModelCard } from '../../model-card/schema.js';
import type { ModelSignature } from '../../model-card/signature.js';
import { loadOnDevice } from './devices.js';
import type { FrameOutput, FrameRequest, LoadRequest, ScoredFrames } from './engine-protocol.js';
import { constantTensor, createFeeder } from '../tensors/feeder.js';
import { planInput } from '../pictures/geometry.js';
import { shorten } from './model-file.js';
import { type Entry, outputNames, type Outputs, readOutput } from '../outputs/read-output.js';
import { scoreFrames, type View } from './score-frames.js';
import { signatureOf } from './session.js';

/** One session and the tensors it is fed with. */
export interface LoadedModel {
  /** What runs it, e.g. `cpu`. */
  readonly device: string;
  /** Scores frames, as many at a time as the card says. Never throws: what fails is the outcome of its frame. */
  score(frames: FrameRequest[]): Promise<ScoredFrames>;
  release(): Promise<void>;
}

/** @throws JobError `user`: the file is no model that can be run, the device cannot be used, or the card does not go with it. */
export async function loadModel({
  model,
  card,
  style,
  threads,
  gpu,
  device: wanted,
}: LoadRequest): Promise<LoadedModel> {
  const { session, device } = await loadOnDevice(model, 'The model', wanted, { threads, gpu });
  const signature = signatureOf(session);
  completeCard(card, signature);
  const constants = constantInputs(card, signature);
  if (style && card.style)
    constants[card.style.name] = createFeeder(card.style, batchOf(card.style.name, signature))([style]);
  const feed = createFeeder(card.input, batchOf(card.input.name, signature));
  const infer = createInference(session, card);
  return {
    device,
    score: async (frames) => {
      const spent = { prepare: 0, infer: 0, finish: 0 };
      const outcomes = await scoreFrames(frames, card, async (views) => {
        const started = performance.now();
        const input = feed(views.map(({ picture }) => picture));
        const prepared = performance.now();
        spent.prepare += prepared - started;
        const outputs = await infer({ ...constants, [card.input.name]: input });
        const inferred = performance.now();
        spent.infer += inferred - prepared;
        const count = input.dims[0] ?? 1;
        const read = views.map((view, index) => readView(outputs, card, view, { index, count }));
        spent.finish += performance.now() - inferred;
        return read;
      });
      return { outcomes, ...spent };
    },
    release: () => session.release(),
  };
}

function constantInputs(card: ModelCard, { inputs }: ModelSignature): Outputs {
  const constants: Outputs = {};
  for (const tensor of inputs) {
    const values = card.constants?.[tensor.name];
    if (values !== undefined) constants[tensor.name] = constantTensor(tensor, values);
  }
  return constants;
}

function readView(outputs: Outputs, card: ModelCard, { picture, original }: View, entry: Entry): FrameOutput {
  return readOutput(outputs, card, { frame: picture, original, plan: planInput(card.input.size, picture) }, entry);
}

/** Pictures the model takes at a time; undefined where it is free. */
function batchOf(name: string, { inputs }: ModelSignature): number | undefined {
  const batch = inputs.find((tensor) => tensor.name === name)?.shape[0];
  return typeof batch === 'number' ? batch : undefined;
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
    throw new JobError('item', `the model failed: ${shorten(messageOf(cause))}`, { cause });
  }
  const outputs: Outputs = {};
  for (const [name, value] of Object.entries(given)) if ('dims' in value) outputs[name] = value;
  return outputs;
}
