import { describe, expect, it } from 'vitest';
import { countGpus } from '../../../src/scorer/engine/engine-pool.js';

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
