import { JobError } from '../../job/failure.js';
import { NPY_TYPES } from '../../model-card/signature.js';
import { type OutputTensor, valuesOf } from '../tensors/tensor.js';
import { refuseNotFinite } from '../tensors/unpack.js';

/** Version 1.0. */
const MAGIC = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
const ALIGNMENT = 64;

/**
 * A tensor as a `.npy` file, for `numpy.load`.
 * @throws JobError `item`: NumPy has no such type, or some values are NaN or infinite.
 */
export function toNpy(tensor: OutputTensor): Uint8Array<ArrayBuffer> {
  const { type, dims, data } = tensor;
  const descr = NPY_TYPES[type];
  if (descr === undefined || !ArrayBuffer.isView(data)) {
    throw new JobError('item', `the model gave ${type} values, which a .npy file does not hold`);
  }
  if (type.startsWith('float')) refuseNotFinite(data instanceof Float64Array ? data : valuesOf(tensor));
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  // The file up to the values, its line break included, fills whole units of 64 bytes.
  const before = Math.ceil((MAGIC.length + 2 + header.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(before + data.byteLength);
  const text = `${header.padEnd(before - MAGIC.length - 3)}\n`;
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint16(MAGIC.length, text.length, true);
  bytes.set(Buffer.from(text, 'latin1'), MAGIC.length + 2);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), before);
  return bytes;
}
