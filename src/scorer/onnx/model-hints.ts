import type { ModelHints } from '../../model-card/signature.js';
import { type Field, messagesOf, partsOf, readFields, textOf } from './protobuf.js';

/**
 * What a model file tells beside its signature: the image metadata that Windows ML defined, the texts that describe its
 * tensors, and the operators it is made of. Reads the fields it needs of `ModelProto` (onnx.proto3) and skips the rest.
 * @param bytes of a model that ONNX Runtime has loaded.
 */
export function readHints(bytes: Uint8Array): ModelHints {
  const metadata: Record<string, string> = {};
  const texts: string[] = [];
  const makers: Record<string, string> = {};
  const operators = new Set<string>();
  const note = (entry: Field[]) => {
    metadata[textOf(entry, 1)] = textOf(entry, 2);
  };
  const describe = (value: Field[]) => {
    texts.push(textOf(value, 3));
    messagesOf(value, 4).forEach(note);
  };
  const model = readFields(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  messagesOf(model, 14).forEach(note);
  for (const graph of messagesOf(model, 7)) {
    for (const node of messagesOf(graph, 1)) {
      const operator = textOf(node, 4);
      operators.add(operator);
      for (const output of partsOf(node, 2)) makers[output.toString('utf8')] = operator;
    }
    for (const value of [...messagesOf(graph, 11), ...messagesOf(graph, 12)]) describe(value);
  }
  return { metadata, texts: texts.filter((line) => line !== ''), makers, operators: [...operators] };
}
