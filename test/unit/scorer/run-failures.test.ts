import { describe, expect, it } from 'vitest';
import { explainRun } from '../../../src/scorer/engine/session.js';

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
    'anything else',
    "Non-zero status code returned while running Loop node. Name:'/model.22/Loop_7' Status Message: /onnxruntime_src/onnxruntime/core/x.cc:12 onnxruntime::Loop::Run(int) n > 0 was false. Trip count is wrong",
    /^in its operator Loop: Trip count is wrong$/,
  ],
];

describe('a run that failed', () => {
  it.each(SAID)('is explained by what to do about %s, without the runtime’s inside', (_what, message, says) => {
    const sentence = explainRun(message);
    expect(sentence).toMatch(says);
    expect(sentence).not.toMatch(/onnxruntime_src|Name:|\.h:\d|\.cc:\d|_nchwc|\/model/);
  });
});
