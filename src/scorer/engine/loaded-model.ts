import type ort from 'onnxruntime-node';
import { completeCard } from '../../model-card/complete-card.js';
import type { ModelCard } from '../../model-card/schema.js';
import type { ModelSignature } from '../../model-card/signature.js';
import { loadOnDevice } from './devices.js';
import { doubtful, findDoubt, isTelling } from './doubtful-pictures.js';
import type { FrameRequest, LoadRequest, ScoredFrames } from './engine-protocol.js';
import { constantTensor, createFeeder } from '../tensors/feeder.js';
import { planInput } from '../pictures/geometry.js';
import { type Entry, type FrameOutput, outputNames, type Outputs, readOutput } from '../outputs/read-output.js';
import { doubtScores } from '../outputs/classes.js';
import { scoreFrames, type View } from './score-frames.js';
import {
  compareNetworks,
  loadOptimized,
  type Optimized,
  type Optimizer,
  pictureToCompare,
} from './optimized-network.js';
import { loadSession, runSession, signatureOf } from './session.js';
import { withoutZipMaps } from '../onnx/zip-maps.js';
import type { Picture } from '../pictures/codec.js';
import { entryOf, valuesOf } from '../tensors/tensor.js';

/** What error sentences call the model. */
const SUBJECT = 'The model';

/** A model that is ready to score frames. */
export interface LoadedModel {
  /** What runs it, e.g. `cpu`. */
  readonly device: string;
  /**
   * Scores frames, as many at a time as the card says. Never throws: what fails is the outcome of its frame.
   * @param again is called before each run of the model that scores none, and when the last of them is over.
   */
  score(frames: FrameRequest[], again?: () => void): Promise<ScoredFrames>;
  release(): Promise<void>;
}

/**
 * Makes the function that loads models.
 *
 * On the CPU a model runs as `optimize` rewrites it, unless its card says `"optimize": "off"`. Before the first frame is scored, its outputs
 * are compared with those of the model as its file says; when they differ, the file's own network takes over.
 */
export function createModelLoader(optimize: Optimizer): (request: LoadRequest) => Promise<LoadedModel> {
  return ({ model, ...request }) =>
    loadModel(
      { ...request, model: withoutZipMaps(model) },
      request.card.optimize === 'off' ? () => undefined : optimize,
    );
}

/** @throws JobError `user`: the file is no model that can be run, the device cannot be used, or the card does not go with it. */
async function loadModel(request: LoadRequest, optimize: Optimizer): Promise<LoadedModel> {
  const { card, style, threads, gpu } = request;
  const network = await loadNetwork(request, optimize);
  const signature = signatureOf(network.session);
  completeCard(card, signature);
  const constants = constantInputs(card, signature);
  if (style && card.style)
    constants[card.style.name] = createFeeder(card.style, batchOf(card.style.name, signature))([style]);
  const createFeed = () => createFeeder(card.input, batchOf(card.input.name, signature));
  const feed = createFeed();
  let infer = createInference(network.session, card);
  /** The model's file, until its optimized form has been compared with it. */
  let uncompared = network.optimized === true ? request.model : undefined;

  /** From now on runs the file's own network if the two differ on this picture. */
  const compare = async (model: Uint8Array, picture: Picture, again: () => void) => {
    const input = createFeed()([pictureToCompare(picture, card)]);
    const own = await loadSession(model, SUBJECT, { threads, gpu });
    const reason = await compareNetworks(own, network.session, { ...constants, [card.input.name]: input }, card, again);
    const rejected = reason === undefined ? own : network.session;
    if (reason !== undefined) {
      network.session = own;
      network.optimized = reason;
      infer = createInference(own, card);
    }
    await rejected.release();
    again();
  };

  let judged = false;
  let doubt: string | undefined;
  /** Looks once at what the model makes of a picture that shows something. @throws JobError `user`: with the assumed range it is none. */
  const judge = async (outputs: Outputs, views: View[], count: number, again: () => void) => {
    const { output } = card;
    if (judged || (output.kind !== undefined && output.kind !== 'image') || output.type === 'uint8') return;
    const { range: taken } = output;
    if (taken === 'auto') return;
    const index = views.findIndex(({ picture }) => isTelling(picture));
    const picture = views[index]?.picture;
    const tensor = outputs[output.name];
    if (picture === undefined || tensor === undefined) return;
    judged = true;
    const run = async (range: [number, number]) => {
      again();
      const given = createFeeder({ ...card.input, range }, batchOf(card.input.name, signature))([picture]);
      const made = (await createInference(network.session, card)({ ...constants, [card.input.name]: given }))[
        output.name
      ];
      return valuesOf(made ? entryOf(made, 0, given.dims[0] ?? 1) : tensor);
    };
    const values = valuesOf(entryOf(tensor, index, count));
    const sentence = await findDoubt(values, { input: card.input, output: { ...output, range: taken } }, run);
    again();
    if (sentence !== undefined && output.assumed === true) throw doubtful(sentence);
    doubt = sentence;
  };

  return {
    device: network.device,
    score: async (frames, again = () => undefined) => {
      const spent = { prepare: 0, infer: 0, finish: 0 };
      const outcomes = await scoreFrames(frames, card, async (views) => {
        if (uncompared && views[0]) await compare(uncompared, views[0].picture, again);
        uncompared = undefined;
        const started = performance.now();
        const input = feed(views.map(({ picture }) => picture));
        const prepared = performance.now();
        spent.prepare += prepared - started;
        const outputs = await infer({ ...constants, [card.input.name]: input });
        const inferred = performance.now();
        spent.infer += inferred - prepared;
        const count = input.dims[0] ?? 1;
        await judge(outputs, views, count, again);
        const read = views.map((view, index) => readView(outputs, card, view, { index, count }));
        const scores = outputs[card.output.name];
        if (card.output.kind === 'classes' && scores) doubt ??= doubtScores(valuesOf(scores), card.output);
        spent.finish += performance.now() - inferred;
        return read;
      });
      return { outcomes, optimized: network.optimized, ...(doubt !== undefined && { doubt }), ...spent };
    },
    release: () => network.session.release(),
  };
}

interface Network {
  session: ort.InferenceSession;
  device: string;
  optimized: Optimized;
}

async function loadNetwork({ model, device, threads, gpu }: LoadRequest, optimize: Optimizer): Promise<Network> {
  const place = { threads, gpu };
  let optimized: Optimized = false;
  const loaded = await loadOnDevice(model, SUBJECT, device, place, async () => {
    const network = await loadOptimized(model, SUBJECT, place, optimize);
    ({ optimized } = network);
    return network.session;
  });
  return { ...loaded, optimized };
}

/** The tensors of the inputs that take no picture. */
export function constantInputs(card: ModelCard, { inputs }: ModelSignature): Outputs {
  const constants: Outputs = {};
  for (const tensor of inputs) {
    const values = card.constants?.[tensor.name];
    if (values !== undefined) constants[tensor.name] = constantTensor(tensor, values);
  }
  return constants;
}

/** @throws JobError: as `readOutput`. */
export function readView(outputs: Outputs, card: ModelCard, { picture, original }: View, entry: Entry): FrameOutput {
  return readOutput(outputs, card, { frame: picture, original, plan: planInput(card.input.size, picture) }, entry);
}

/** How many pictures the model takes at a time; undefined when any number. */
export function batchOf(name: string, { inputs }: ModelSignature): number | undefined {
  const batch = inputs.find((tensor) => tensor.name === name)?.shape[0];
  return typeof batch === 'number' ? batch : undefined;
}

/**
 * Runs the session. While the input keeps its size, each run writes its outputs into the tensors of the run before, so that no frame
 * allocates large memory. The outputs of a run are valid until the next one.
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
      outputs = await runSession(session, feeds, reuse?.outputs ?? names);
    } catch (error) {
      if (reuse === undefined) throw error;
      outputs = await runSession(session, feeds, names);
      // The same input size gave outputs of another size.
      shapesVary = true;
    }
    if (!shapesVary) reusable = { input, outputs };
    return outputs;
  };
}
