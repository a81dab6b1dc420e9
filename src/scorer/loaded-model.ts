import ort from 'onnxruntime-node';
import { JobError, messageOf } from '../job/failure.js';
import { completeCard, type ImageInput, type ModelCard } from '../job/model-card.js';
import type { LoadRequest, ScoredPicture } from './engine-protocol.js';
import { cropOf, planInput } from './geometry.js';
import type { Picture, Size } from './picture.js';
import { loadSession, signatureOf } from './session.js';
import { allocateTensor, dimensionsOf, outputSize, packPicture, type TensorData, unpackPicture } from './tensor.js';

/** One session and the tensors it is fed with; scores one frame at a time. */
export interface LoadedModel {
  /**
   * @param frame already scaled as the card asks; it is padded here.
   * @throws JobError `item`: the model refused the frame or gave no usable picture.
   */
  score(frame: Picture): Promise<ScoredPicture>;
  release(): Promise<void>;
}

/** @throws JobError `user`: the file is no model that can be run, or the card does not go with it. */
export async function loadModel({ model, card, style, threads }: LoadRequest): Promise<LoadedModel> {
  const session = await loadSession(model, 'The model', threads);
  completeCard(card, signatureOf(session));
  const styleFeed = style && card.style ? { [card.style.name]: createFeeder(card.style)(style) } : {};
  const feed = createFeeder(card.input);
  return {
    score: async (frame) => {
      const started = performance.now();
      const feeds = { [card.input.name]: feed(frame), ...styleFeed };
      const prepared = performance.now();
      const output = await infer(session, feeds, card);
      const inferred = performance.now();
      const picture = toPicture(output, card, frame);
      output.dispose();
      const finished = performance.now();
      return { picture, prepare: prepared - started, infer: inferred - prepared, finish: finished - inferred };
    },
    release: () => session.release(),
  };
}

/** Turns pictures into input tensors; pictures of one size share one tensor. */
function createFeeder(image: ImageInput): (picture: Picture) => ort.Tensor {
  let size: Size = { width: 0, height: 0 };
  let data: TensorData | undefined;
  return (picture) => {
    const { padded } = planInput(image.size, picture);
    if (data === undefined || padded.width !== size.width || padded.height !== size.height) {
      data = allocateTensor(image, padded);
      size = padded;
    }
    packPicture(picture, image, padded, data);
    const dimensions = dimensionsOf(image, padded);
    return data instanceof Uint8Array
      ? new ort.Tensor('uint8', data, dimensions)
      : new ort.Tensor('float32', data, dimensions);
  };
}

async function infer(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  card: ModelCard,
): Promise<ort.Tensor> {
  let outputs: ort.InferenceSession.OnnxValueMapType;
  try {
    outputs = await session.run(feeds, [card.output.name]);
  } catch (cause) {
    throw new JobError('item', `the model failed: ${messageOf(cause).slice(0, 300)}`, { cause });
  }
  const output = outputs[card.output.name];
  if (output !== undefined && 'dims' in output) return output;
  throw new JobError('item', `the model gave no tensor called "${card.output.name}"`);
}

function toPicture(output: ort.Tensor, { input, output: image }: ModelCard, frame: Picture): Picture {
  const { data } = output;
  if (!(data instanceof Float32Array) && !(data instanceof Uint8Array)) {
    throw new JobError('item', `the model gave ${output.type} values instead of ${image.type}`);
  }
  const size = outputSize(output.dims, image);
  return unpackPicture(data, image, size, cropOf(size, planInput(input.size, frame), image.fit));
}
