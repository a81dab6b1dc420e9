/** What a model file says about itself: printed by `node dist/scorer/engine/inspect-main.js MODEL.onnx`. */
export interface ModelSignature {
  inputs: TensorSignature[];
  outputs: TensorSignature[];
}

export interface TensorSignature {
  name: string;
  /** ONNX element type, e.g. `float32`. */
  type: string;
  /** A number where the dimension is fixed, its symbol (possibly empty) where it is free; empty when unknown. */
  shape: (number | string)[];
}

export type Layout = 'NCHW' | 'NHWC';

/** Layout of a four-dimensional tensor where exactly one dimension is that of the channels; undefined when it does not show. */
export function imageLayout(tensor: TensorSignature, channels: 1 | 3 = 3): Layout | undefined {
  if (tensor.shape.length !== 4) return undefined;
  const first = tensor.shape[1] === channels;
  const last = tensor.shape[3] === channels;
  if (first === last) return undefined;
  return first ? 'NCHW' : 'NHWC';
}

/** Whether scores, boxes and pictures are read from tensors of its type. */
export const isRead = ({ type }: TensorSignature) => ['float32', 'float16', 'uint8'].includes(type);

/** In pixels; undefined where the dimension is free. */
export interface ImageSize {
  width?: number;
  height?: number;
}

/** Width and height of an image tensor. */
export function imageSize(tensor: TensorSignature, layout: Layout): ImageSize {
  const [height, width] = layout === 'NCHW' ? tensor.shape.slice(2) : tensor.shape.slice(1, 3);
  return {
    width: typeof width === 'number' ? width : undefined,
    height: typeof height === 'number' ? height : undefined,
  };
}

/** `"data_0" float16 [1,3,224,224]`, for sentences. */
export function describeTensor(tensor: TensorSignature): string {
  const shape = tensor.shape.map((dimension) => (dimension === '' ? '?' : dimension)).join(',');
  return `"${tensor.name}" ${tensor.type} [${shape}]`;
}
