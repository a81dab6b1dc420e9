import { parentPort, workerData } from 'node:worker_threads';
import { JobError, messageOf } from '../../job/failure.js';
import type {
  EngineReply,
  EngineRequest,
  FrameOutcome,
  LoadRequest,
  ScoreRequest,
  TimedReply,
} from './engine-protocol.js';
import { widenConvolutions } from '../onnx/wide-convolutions.js';
import { createModelLoader, type LoadedModel } from './loaded-model.js';

/**
 * The inference thread. `session.run` blocks its thread for the whole inference, so nothing else runs here.
 */
if (parentPort === null) throw new Error('engine-worker.js runs as a worker thread only');
const port = parentPort;
/** 1 once the thread must end: see `Engine.close`. */
const closing: unknown = workerData;
const loadModel = createModelLoader(widenConvolutions);
let model: LoadedModel | undefined;
/** Requests run one after another because they share the input tensors. */
let queue = Promise.resolve();

port.on('message', (request: EngineRequest) => {
  queue = queue.then(() => answer(request));
});

async function answer(request: EngineRequest): Promise<void> {
  if (request.kind === 'close') {
    await model?.release();
    port.close();
    return;
  }
  if (closing instanceof Int32Array && Atomics.load(closing, 0) === 1) return;
  try {
    const reply = request.kind === 'load' ? await load(request) : await score(request);
    send(reply, reply.kind === 'scored' ? reply.scored.outcomes.flatMap(movable) : []);
  } catch (error) {
    const failure = error instanceof JobError ? error.blame : 'item';
    send({ kind: 'failed', failure, message: messageOf(error) });
  }
}

function send(reply: EngineReply, move: ArrayBuffer[] = []): void {
  port.postMessage({ reply, at: performance.timeOrigin + performance.now() } satisfies TimedReply, move);
}

async function load(request: LoadRequest): Promise<EngineReply> {
  model = await loadModel(request);
  return { kind: 'loaded', device: model.device };
}

async function score({ frames }: ScoreRequest): Promise<EngineReply> {
  if (model === undefined) throw new JobError('user', 'The model is not loaded.');
  return { kind: 'scored', scored: await model.score(frames, () => send({ kind: 'again' })) };
}

function movable(outcome: FrameOutcome): ArrayBuffer[] {
  if (!outcome.ok) return [];
  const { output } = outcome;
  if (output.kind === 'array') return [output.bytes.buffer];
  return 'picture' in output ? [output.picture.data.buffer] : [];
}
