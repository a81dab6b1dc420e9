import { describe, expect, it } from 'vitest';
import { parseSpec } from '../../../src/job/spec.js';

const computeOf = (compute: object) =>
  parseSpec(JSON.stringify({ input: { video: 'inbox/a.mp4' }, model: 'm', compute })).compute;

describe('the device of a job', () => {
  it('is left to the scorer unless it is asked for', () => {
    expect(computeOf({})).toEqual({ kind: 'local' });
    expect(computeOf({ device: 'cpu' })).toEqual({ kind: 'local', device: 'cpu' });
  });

  it('is CUDA where a GPU is required', () => {
    expect(computeOf({ gpu: 'require' })).toMatchObject({ device: 'cuda' });
    expect(computeOf({ gpu: 'require', device: 'webgpu' })).toMatchObject({ device: 'webgpu' });
    expect(computeOf({ gpu: 'prefer' })).toEqual({ kind: 'local', gpu: 'prefer' });
  });

  it('requires a GPU from a compute that gives them out', () => {
    expect(computeOf({ kind: 'aci', device: 'cuda' })).toEqual({ kind: 'aci', device: 'cuda', gpu: 'require' });
    expect(computeOf({ kind: 'local', device: 'cuda' })).toEqual({ kind: 'local', device: 'cuda' });
    expect(computeOf({ kind: 'aci', gpu: 'require' })).toEqual({ kind: 'aci', gpu: 'require' });
  });

  it.each([
    [{ gpu: 'require', device: 'cpu' }, 'has a "gpu" of "require" and a "device" of "cpu"'],
    [{ kind: 'aci', gpu: 'prefer', device: 'cpu' }, 'has a "gpu" of "prefer" and a "device" of "cpu"'],
    [{ kind: 'aci', gpu: 'none', device: 'cuda' }, 'has a "gpu" of "none" and a "device" of "cuda"'],
    [{ device: 'tpu' }, '"compute.device" is not valid'],
  ])('is refused as %j', (compute, says) => {
    expect(() => computeOf(compute)).toThrow(says);
  });
});
