import { describe, expect, it } from 'vitest';
import { countGpus, countSessions } from '../../../src/scorer/engine/engine-pool.js';

describe('countGpus', () => {
  const devices = ['null', 'nvidia0', 'nvidia1', 'nvidiactl', 'nvidia-uvm', 'nvidia2'];
  it.each([
    [undefined, 3],
    ['', 0],
    ['1', 1],
    ['2, 0', 2],
    ['0,-1,1', 1],
    ['0,3', 1],
    ['GPU-5ebe9f43,MIG-1/2/3', 2],
    ['NoDevFiles', 0],
  ])('CUDA_VISIBLE_DEVICES of %s', (visible, count) => {
    expect(countGpus(visible, devices)).toBe(count);
  });

  it('is 0 on a machine without', () => {
    expect(countGpus(undefined, ['null', 'tty'])).toBe(0);
  });
});

describe('countSessions', () => {
  it.each([
    ['one on the CPU', 'cpu', undefined, 3, 1],
    ['as many as are asked for on the CPU', 'cpu', 4, 0, 4],
    ['one on each GPU', 'cuda and cpu', undefined, 3, 3],
    ['one with CUDA where no GPU was counted', 'cuda', undefined, 0, 1],
    ['as many as are asked for with CUDA', 'cuda', 6, 2, 6],
    ['never more than one with WebGPU', 'webgpu and cpu', 4, 2, 1],
  ])('gives %s', (_what, device, sessions, gpus, count) => {
    expect(countSessions(device, { sessions, gpus })).toBe(count);
  });
});
