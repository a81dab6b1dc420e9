import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { JobError } from '../../job/failure.js';
import { parseModel } from './model-messages.js';
import {
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  TensorProto_DataLocation as DataLocation,
  TensorProtoSchema,
} from './onnx_pb.js';

/** Says of a tensor that its values are in a file: `external_data` in onnx.proto. */
const MARK = 'location';

/** Where the values of a tensor are. */
interface Place {
  file: string;
  offset: number;
  /** Undefined: up to the end of the file. */
  length: number | undefined;
}

/** The names of the files beside a model that hold its weights, as the model spells them; empty when the model holds them all. */
export function externalFiles(model: Uint8Array): string[] {
  if (!Buffer.from(model.buffer, model.byteOffset, model.byteLength).includes(MARK)) return [];
  const files = new Set<string>();
  rewriteTensors(model, ({ file }) => {
    files.add(file);
    return undefined;
  });
  return [...files];
}

/**
 * The model with all of its weights in it.
 * @param files what the files hold, by the names that the model gives them.
 * @throws JobError `user`: a file is missing or too short.
 */
export function withExternalData(model: Uint8Array, files: Map<string, Uint8Array>): Uint8Array {
  const whole = rewriteTensors(model, ({ file, offset, length }) => {
    const bytes = files.get(file);
    if (bytes === undefined) throw new JobError('user', `The model's weights are in ${file}, which is missing.`);
    const end = length === undefined ? bytes.length : offset + length;
    if (offset < 0 || end < offset || end > bytes.length)
      throw new JobError('user', `The model's weights in ${file} are cut off: export or download it again.`);
    return bytes.subarray(offset, end);
  });
  return whole === undefined ? model : toBinary(ModelProtoSchema, whole);
}

/** @param valuesOf the values of a tensor that is kept elsewhere; undefined: it stays as it is. */
function rewriteTensors(model: Uint8Array, valuesOf: (place: Place) => Uint8Array | undefined) {
  const message = parseModel(model);
  const rewrite = (bytes: Uint8Array) => {
    const tensor = fromBinary(TensorProtoSchema, bytes);
    if (tensor.dataLocation !== DataLocation.EXTERNAL) return bytes;
    const facts = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
    const length = facts.get('length');
    const values = valuesOf({
      file: facts.get('location') ?? '',
      offset: Number(facts.get('offset') ?? 0),
      length: length === undefined ? undefined : Number(length),
    });
    if (values === undefined) return bytes;
    tensor.rawData = values;
    tensor.externalData = [];
    tensor.dataLocation = DataLocation.DEFAULT;
    return toBinary(TensorProtoSchema, tensor);
  };
  const graph = (part: GraphProto) => {
    part.initializer = part.initializer.map(rewrite);
    part.node.forEach(node);
  };
  const node = ({ attribute }: NodeProto) => {
    for (const each of attribute) {
      if (each.t.length > 0) each.t = rewrite(each.t);
      each.tensors = each.tensors.map(rewrite);
      if (each.g) graph(each.g);
      each.graphs.forEach(graph);
    }
  };
  if (message?.graph) graph(message.graph);
  for (const { node: nodes } of message?.functions ?? []) nodes.forEach(node);
  return message;
}
