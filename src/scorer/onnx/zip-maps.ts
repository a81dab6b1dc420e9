import { create, toBinary } from '@bufbuild/protobuf';
import { operatorNode, parseModel } from './model-messages.js';
import { ModelProtoSchema, type NodeProto, TensorProto_DataType as DataType, TypeProtoSchema } from './onnx_pb.js';

/**
 * Drops the nodes that turn the scores of classes into a dictionary, which ends the models of scikit-learn and of Azure Custom Vision and
 * which is no tensor: the scores come out in its place, under its name.
 * @param model the bytes of an ONNX file; given back when there is nothing to drop.
 */
export function withoutZipMaps(model: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (!Buffer.from(model.buffer, model.byteOffset, model.byteLength).includes('ZipMap')) return model;
  const message = parseModel(model);
  const { graph } = message ?? {};
  if (message === undefined || graph === undefined) return model;
  const dropped = new Set<string>();
  graph.node = graph.node.map((node) => {
    const [input = ''] = node.input;
    const [output = ''] = node.output;
    if (!isZipMap(node)) return node;
    dropped.add(output);
    return operatorNode('Identity', [input], output);
  });
  for (const output of graph.output)
    if (dropped.has(output.name))
      output.type = create(TypeProtoSchema, { value: { case: 'tensorType', value: { elemType: DataType.FLOAT } } });
  return dropped.size === 0 ? model : toBinary(ModelProtoSchema, message);
}

/** The names of the classes by the output that had them as the keys of its dictionary. */
export function labelsOfZipMaps(nodes: NodeProto[]): Record<string, string[]> {
  const labels: Record<string, string[]> = {};
  for (const node of nodes.filter(isZipMap)) {
    const [output = ''] = node.output;
    const texts = node.attribute.flatMap(({ strings, ints }) =>
      strings.length > 0 ? strings.map((text) => Buffer.from(text).toString()) : ints.map(String),
    );
    if (texts.length > 0) labels[output] = texts;
  }
  return labels;
}

const isZipMap = ({ opType, domain }: NodeProto) => opType === 'ZipMap' && domain === 'ai.onnx.ml';
