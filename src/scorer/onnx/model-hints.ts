import type { ModelHints } from '../../model-card/signature.js';
import { parseModel } from './model-messages.js';
import type { StringStringEntryProto } from './onnx_pb.js';
import { labelsOfZipMaps } from './zip-maps.js';

/** What is longer holds data and no facts about the model; the names of 1000 classes take 30 KB. */
const LONGEST_VALUE = 262_144;

/** https://onnx.ai/onnx/operators: even with a seed, the numbers of the next item are others. */
const RANDOM = ['RandomNormal', 'RandomNormalLike', 'RandomUniform', 'RandomUniformLike', 'Multinomial', 'Bernoulli'];

/**
 * Reads what a model file says beside its signature: the image metadata that Windows ML defined, the texts that describe its
 * tensors, and the operators that make its outputs.
 * @param bytes of a model that ONNX Runtime has loaded.
 */
export function readHints(bytes: Uint8Array): ModelHints {
  const metadata: Record<string, string> = {};
  const makers: Record<string, string> = {};
  const note = ({ key, value }: StringStringEntryProto) => {
    if (value.length <= LONGEST_VALUE) metadata[key] = value;
  };
  const model = parseModel(bytes);
  model?.metadataProps.forEach(note);
  const outputs = new Set(model?.graph?.output.map(({ name }) => name));
  for (const { opType, output } of model?.graph?.node ?? [])
    for (const name of output) if (outputs.has(name)) makers[name] = opType;
  const tensors = [...(model?.graph?.input ?? []), ...(model?.graph?.output ?? [])];
  for (const { metadataProps } of tensors) metadataProps.forEach(note);
  const texts = tensors.map(({ docString }) => docString).filter((text) => text !== '');
  const random = model?.graph?.node.find(({ opType }) => RANDOM.includes(opType))?.opType;
  return { metadata, texts, makers, random, labels: labelsOfZipMaps(model?.graph?.node ?? []) };
}
