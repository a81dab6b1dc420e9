import { JobError, messageOf } from '../../job/failure.js';

/**
 * Refuses, before the runtime sees them, files that are certainly no ONNX model.
 * @param subject how the sentence calls the model, e.g. `The model "candy"`.
 * @throws JobError `user`.
 */
export function refuseNonModel(bytes: Uint8Array, subject: string): void {
  if (bytes.byteLength === 0) throw new JobError('user', `${subject} is an empty file: export or download it again.`);
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 256))
    .toString('latin1')
    .trimStart();
  if (/^(?:\xEF\xBB\xBF)?\s*<(?:!doctype|html|\?xml|head|!--)/i.test(start)) {
    throw new JobError(
      'user',
      `${subject} is a web page and no ONNX model: download the file itself, not the page that shows it.`,
    );
  }
  if (start.startsWith('version https://git-lfs')) {
    throw new JobError(
      'user',
      `${subject} is a Git LFS pointer and not the model itself: fetch it with "git lfs pull".`,
    );
  }
}

/** The `user` failure for what ONNX Runtime said when it could not load a model. */
export function loadFailure(cause: unknown, subject: string): JobError {
  return new JobError('user', `${subject} ${explain(messageOf(cause))}`, { cause });
}

function explain(message: string): string {
  if (/protobuf parsing failed|does not have a graph/i.test(message)) {
    return 'is cut off or no ONNX model: export or download it again.';
  }
  const unknown =
    /No Op registered for (\S+)/.exec(message) ??
    /Could not find an implementation for ([\w.]+)/.exec(message) ??
    /(\S+)\(-?\d+\) is not a registered function\/op/.exec(message);
  if (unknown?.[1] !== undefined) {
    return `uses the operator ${unknown[1]}, which ONNX Runtime does not have: export it without that operator.`;
  }
  if (/external data|external initializer/i.test(message)) {
    return 'keeps its weights in a second file: save it as a single .onnx file.';
  }
  if (/unsupported model IR version|opset \d+ is under development|official support for domain/i.test(message)) {
    return 'is newer than this ONNX Runtime: export it with an older opset.';
  }
  return `cannot be loaded by ONNX Runtime: ${shorten(message)}`;
}

/** What ONNX Runtime said, without the path of the file and of its own source code, which tell a user nothing. */
export function shorten(message: string): string {
  const plain = message.replace(/^Load model from .*? failed:/, '').replace(/\/onnxruntime_src\/\S+ (?:.*?\) )?/g, '');
  return plain.length > 300 ? `${plain.slice(0, 300)}…` : plain;
}
