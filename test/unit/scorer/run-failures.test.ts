import { describe, expect, it } from 'vitest';
import { explainRun, runFailure } from '../../../src/scorer/engine/session.js';

/** A call of CUDA that failed in a run, as ONNX Runtime 1.30 says it. */
function cuda(call: string): string {
  const place =
    '/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:154 std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool THRW = true; SUCCTYPE = cudaError; std::conditional_t<THRW, void, common::Status> = void]';
  return `Non-zero status code returned while running Conv node. Name:'/up/Conv_3' Status Message: ${place} ${call} ; GPU=0 ; hostname=worker-7 ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/gpu_data_transfer.cc ; line=73 ; expr=cudaMemcpyAsync(dst_data, src_data, bytes); `;
}

/** As ONNX Runtime 1.30 says it. */
const SAID: [what: string, message: string, says: RegExp][] = [
  [
    'sides that do not add up',
    "Non-zero status code returned while running Add node. Name:'/up/Add_3' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/math/element_wise_ops.h:563 void onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 4 by 5",
    /^it does not take pictures of this size.*"input\.size\.multipleOf"/,
  ],
  [
    'sides that do not match',
    "Non-zero status code returned while running Concat node. Name:'/model.12/Concat' Status Message: concatbase.h:133 PrepareForComputeImpl Non concat axis dimensions must match: Axis 2 has mismatched dimensions of 4 and 5",
    /^it does not take pictures of this size/,
  ],
  [
    'too small a picture',
    "Non-zero status code returned while running Pad node. Name:'' Status Message: Pad reflect: pre-pad (40) exceeds maximum allowed (4) for axis 2. Input shape:{1,3,5,5}",
    /^it does not take pictures of this size.*"minimum"/,
  ],
  [
    'a fixed side',
    'Got invalid dimensions for input: x for the following indices index: 2 Got: 64 Expected: 224 Please fix either the inputs/outputs or the model.',
    /^it takes 224 where it got 64/,
  ],
  [
    'channels',
    "Non-zero status code returned while running Conv node. Name:'y_nchwc' Status Message: Input channels C is not equal to kernel channels * group. C: 3 kernel channels: 4 group: 1",
    /^it takes another number of channels/,
  ],
  [
    'memory',
    "Non-zero status code returned while running Expand node. Name:'' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Failed to allocate memory for requested buffer of size 19200000000000",
    /^it needs more memory than there is.*"input\.size\.tiles"/,
  ],
  [
    'memory of a GPU',
    cuda('CUDA failure 2: out of memory'),
    /^it needs more memory than there is.*"input\.size\.tiles"/,
  ],
  ['memory that cuDNN wants', cuda('CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED'), /^it needs more memory/],
  [
    'memory with WebGPU',
    "Non-zero status code returned while running Conv node. Name:'/down/Conv' Status Message: absl::container_internal::raw_hash_map<>::at",
    /^it needs more memory/,
  ],
  [
    'anything else of a GPU',
    cuda('CUDA failure 1: invalid argument'),
    /^in its operator Conv: CUDA failure 1: invalid argument$/,
  ],
  [
    'anything else',
    "Non-zero status code returned while running Loop node. Name:'/model.22/Loop_7' Status Message: /onnxruntime_src/onnxruntime/core/x.cc:12 onnxruntime::Loop::Run(int) n > 0 was false. Trip count is wrong",
    /^in its operator Loop: Trip count is wrong$/,
  ],
];

describe('a run that failed', () => {
  it.each(SAID)('is explained by what to do about %s, without the runtime’s inside', (_what, message, says) => {
    const sentence = explainRun(message);
    expect(sentence).toMatch(says);
    expect(sentence).not.toMatch(/onnxruntime|worker-7|Name:|\.h:\d|\.cc:\d|_nchwc|\/model/);
  });
});

describe('whose failure a run is', () => {
  it.each([
    [
      'the item’s, when it does not fit into the memory of the GPU',
      cuda('CUDA failure 2: out of memory'),
      'item',
      /^the model failed: it needs more/,
    ],
    [
      'the attempt’s, when the GPU does no more work',
      cuda('CUDA failure 700: an illegal memory access was encountered'),
      'attempt',
      /^The GPU failed: CUDA failure 700: an illegal memory access was encountered\.$/,
    ],
    [
      'the attempt’s, when WebGPU has lost its device',
      'Non-zero status code returned while running Conv node. Status Message: WebGPU device lost (1): gone',
      'attempt',
      /^The GPU failed: /,
    ],
    [
      'the user’s, when cuDNN is not installed',
      "Non-zero status code returned while running Conv node. Name:'x' Status Message: [ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : cuDNN is unavailable or disabled for CUDA Execution Provider: dlopen failed for libcudnn.so: libcudnn.so: cannot open shared object file",
      'user',
      /without cuDNN: install cuDNN 9/,
    ],
  ])('is %s', (_what, message, blame, says) => {
    const failure = runFailure(message);
    expect(failure.blame).toBe(blame);
    expect(failure.message).toMatch(says);
  });
});
