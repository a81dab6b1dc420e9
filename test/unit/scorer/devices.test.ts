import { describe, expect, it } from 'vitest';
import { explainLoader } from '../../../src/scorer/engine/devices.js';

describe('a CUDA library that the system does not load', () => {
  it.each([
    [
      'libcublasLt.so.13: cannot open shared object file: No such file or directory',
      /^ONNX Runtime's CUDA library needs libcublasLt\.so\.13, which belongs to CUDA 13, and it is not installed here$/,
    ],
    [
      'libcurand.so.10: cannot open shared object file: No such file or directory',
      /needs libcurand\.so\.10, and it is not installed/,
    ],
    [
      'libcuda.so.1: cannot open shared object file: No such file or directory',
      /^there is no NVIDIA driver here \(libcuda\.so\.1\)$/,
    ],
    ['/app/libonnxruntime_providers_cuda.so: file too short', /file too short/],
  ])('is explained by what is missing: %s', (message, says) => {
    expect(explainLoader(message)).toMatch(says);
  });
});
