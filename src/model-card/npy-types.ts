/** NumPy's names of ONNX element types, little endian: what a `.npy` file can hold. */
export const NPY_TYPES: Record<string, string> = {
  float32: '<f4',
  float16: '<f2',
  float64: '<f8',
  uint8: '|u1',
  int8: '|i1',
  uint16: '<u2',
  int16: '<i2',
  uint32: '<u4',
  int32: '<i4',
  uint64: '<u8',
  int64: '<i8',
  bool: '|b1',
};
