/** Float16 as its 16 bits: what onnxruntime-node takes and gives on Node 20. */

const word = new DataView(new ArrayBuffer(4));
let table: Float32Array | undefined;

/** The nearest float16; halves to even, too large ones to infinity. */
export function toHalf(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const size = Math.abs(value);
  if (size >= 65_520) return sign | 0x7c00;
  // Below the smallest normal number steps are 2^-24; a mantissa that overflows carries into the exponent.
  if (size < 2 ** -14) return sign | halfToEven(size * 2 ** 24);
  const exponent = ((bits >>> 23) & 0xff) - 127;
  return sign | (((exponent + 15) << 10) + halfToEven((size / 2 ** exponent - 1) * 1024));
}

/** All values of a float16 tensor as float32. */
export function fromHalves(halves: Uint16Array): Float32Array {
  table ??= Float32Array.from({ length: 65_536 }, (_, bits) => fromHalf(bits));
  const values = new Float32Array(halves.length);
  for (let index = 0; index < values.length; index += 1) values[index] = table[halves[index] ?? 0] ?? 0;
  return values;
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function halfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
