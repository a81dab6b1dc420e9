import type { ModelHints } from '../../model-card/signature.js';
import { parseModel } from './model-messages.js';
import type { StringStringEntryProto } from './onnx_pb.js';

/**
 * Reads what a model file says beside its signature: the image metadata that Windows ML defined, the texts that describe its
 * tensors, and the operators it is made of.
 * @param bytes of a model that ONNX Runtime has loaded.
 */
export function readHints(bytes: Uint8Array): ModelHints {
  const metadata: Record<string, string> = {};
  const makers: Record<string, string> = {};
  const operators = new Set<string>();
  const note = ({ key, value }: StringStringEntryProto) => {
    metadata[key] = value;
  };
  const model = parseModel(bytes);
  model?.metadataProps.forEach(note);
  for (const { opType, output } of model?.graph?.node ?? []) {
    operators.add(opType);
    for (const name of output) makers[name] = opType;
  }
  const tensors = [...(model?.graph?.input ?? []), ...(model?.graph?.output ?? [])];
  for (const { metadataProps } of tensors) metadataProps.forEach(note);
  const texts = tensors.map(({ docString }) => docString).filter((text) => text !== '');
  return { metadata, texts, makers, operators: [...operators] };
}
