import { describe, expect, test } from 'vitest';
import { preflightLocal } from '../../../src/compute/local/preflight.js';

describe('on this machine', () => {
  test('one container runs for each core, unless the job asks for fewer', () => {
    expect(preflightLocal({}, 4)).toEqual({ maxParallel: 4, warnings: [], size: { cpus: 1 } });
    expect(preflightLocal({ maxParallel: 2 }, 4)).toEqual({ maxParallel: 2, warnings: [], size: { cpus: 2 } });
  });

  test('a job that asks for more gets what there is, and a warning with the numbers', () => {
    const { maxParallel, warnings } = preflightLocal({ maxParallel: 8 }, 4);
    expect(maxParallel).toBe(4);
    expect(warnings).toEqual([expect.stringMatching(/4 cores.*4 instead of 8/)]);
  });

  test('a preferred GPU is warned of, since nobody hands one out: the device decides', () => {
    expect(preflightLocal({ gpu: 'prefer' }, 4).warnings).toEqual([
      expect.stringMatching(/"local" hands out no GPU.*compute\.device/),
    ]);
  });

  test.each([undefined, 'none', 'require'] as const)('a GPU setting of %s needs no warning', (gpu) => {
    expect(preflightLocal({ gpu }, 4).warnings).toEqual([]);
  });
});
