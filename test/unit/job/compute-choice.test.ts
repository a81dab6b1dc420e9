import { describe, expect, it } from 'vitest';
import { choicesOf } from '../../../src/job/compute-choice.js';
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

describe('the computes of a job', () => {
  const choices = (compute: object) => choicesOf(computeOf(compute));

  it('are one where it names no fallback', () => {
    expect(choices({ kind: 'aci' })).toMatchObject([{ kind: 'aci' }]);
    expect(computeOf({ kind: 'aci', fallback: [] })).toEqual({ kind: 'aci' });
  });

  it('are tried after five minutes each, unless it says otherwise', () => {
    const fallback = [{ kind: 'container-apps' }];
    expect(computeOf({ kind: 'aci', fallback }).fallbackAfterSeconds).toBe(300);
    expect(computeOf({ kind: 'aci', fallback, fallbackAfterSeconds: 60 }).fallbackAfterSeconds).toBe(60);
  });

  it('are like the first but for what they say, and run in any region where they name none', () => {
    const fallback = [{ region: 'northeurope' }, { kind: 'container-apps' }, { kind: 'container-apps', memoryGb: 8 }];
    expect(choices({ kind: 'aci', region: 'westeurope', memoryGb: 4, device: 'cpu', fallback })).toEqual([
      { kind: 'aci', region: 'westeurope', device: 'cpu', memoryGb: 4 },
      { kind: 'aci', region: 'northeurope', device: 'cpu', memoryGb: 4 },
      { kind: 'container-apps', device: 'cpu', memoryGb: 4 },
      { kind: 'container-apps', device: 'cpu', memoryGb: 8 },
    ]);
  });

  it('have another GPU or device where they name one of them', () => {
    const fallback = [{ kind: 'aci', gpu: 'none' }, { device: 'cpu' }, { kind: 'local', gpu: 'require' }];
    expect(choices({ kind: 'container-apps', device: 'cuda', fallback })).toMatchObject([
      { device: 'cuda', gpu: 'require' },
      { kind: 'aci', gpu: 'none', device: undefined },
      { kind: 'container-apps', gpu: undefined, device: 'cpu' },
      { kind: 'local', gpu: 'require', device: 'cuda' },
    ]);
  });

  it.each<[object, string]>([
    [{ kind: 'aci', fallback: [{ kind: 'aci' }] }, '"compute.fallback.0" asks for nothing that "compute" does not try'],
    [{ kind: 'aci', fallback: [{}] }, '"compute.fallback.0" asks for nothing'],
    [{ kind: 'aci', fallback: [{ region: 'westeurope' }] }, '"compute.fallback.0" asks for nothing'],
    [
      { kind: 'aci', region: 'a', fallback: [{ region: 'b' }, { region: 'b' }] },
      '"compute.fallback.1" asks for nothing that "compute.fallback.0" does not try',
    ],
    [{ kind: 'aci', region: 'a', fallback: [{ region: 'a' }] }, '"compute.fallback.0" asks for nothing'],
    [{ kind: 'aci', region: 'West Europe' }, '"compute.region" must be the name of a region as in westeurope'],
    [{ kind: 'local', region: 'westeurope' }, '"compute" has a "region", which is for "aci"'],
    [
      { kind: 'aci', fallback: [{ kind: 'container-apps', region: 'westeurope' }] },
      '"compute.fallback.0" has a "region", which is for "aci"; leave it out for "container-apps"',
    ],
    [{ kind: 'aci', fallback: [{ kind: 'batch' }] }, '"compute.fallback.0.kind" is not valid'],
    [{ kind: 'aci', fallback: ['local'] }, '"compute.fallback.0" is not valid'],
    [{ kind: 'aci', fallback: [{ kind: 'local', fallback: [] }] }, '"compute.fallback.0.fallback" is not a known'],
    [{ kind: 'aci', fallback: { kind: 'local' } }, '"compute.fallback" is not valid'],
    [{ kind: 'aci', fallback: [{}, {}, {}, {}, {}] }, '"compute.fallback" must name 4 computes at most'],
    [{ kind: 'aci', fallbackAfterSeconds: 60 }, '"compute.fallbackAfterSeconds" is for a "compute.fallback"'],
    [{ kind: 'aci', fallback: [{ kind: 'local' }], fallbackAfterSeconds: 0 }, '"compute.fallbackAfterSeconds" is not'],
    [{ kind: 'aci', fallback: [{ kind: 'local' }], fallbackAfterSeconds: 7201 }, 'fallbackAfterSeconds'],
    [
      { kind: 'container-apps', gpu: 'require', fallback: [{ device: 'cpu', gpu: 'require' }] },
      '"compute.fallback.0" has a "gpu" of "require" and a "device" of "cpu"',
    ],
  ])('are refused as %j', (compute, says) => {
    expect(() => computeOf(compute)).toThrow(says);
  });

  it('stay as they are when they are read again', () => {
    const compute = { kind: 'aci', device: 'cuda', fallback: [{ kind: 'local' }, { kind: 'aci', gpu: 'none' }] };
    const once = computeOf(compute);
    expect(computeOf(once)).toEqual(once);
  });
});
