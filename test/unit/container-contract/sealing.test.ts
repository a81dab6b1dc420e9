import { describe, expect, test } from 'vitest';
import { readEnvironment } from '../../../src/container-contract/environment.js';
import { makeSealingKey, seal, unseal } from '../../../src/container-contract/sealing.js';

const key = makeSealingKey();
const VALUES = {
  TASK_BLOB: 'tasks/b00000-a1.json',
  JOB_CONTAINER_URL: 'https://a.blob.core.windows.net/job?sig=secret',
  WORK_CONTAINER_URL: 'https://a.blob.core.windows.net/work?sig=secret',
  MODEL_URL: 'https://a.blob.core.windows.net/models/m.onnx?sig=secret',
};

describe('an environment that is sealed', () => {
  test('is opened with its key, beside what stands openly', () => {
    const environment = { PATH: '/bin', SCORER_KEY: key, SCORER_SEALED: seal(VALUES, key) };
    expect(unseal(environment)).toEqual({ PATH: '/bin', ...VALUES });
    expect(readEnvironment(environment).modelUrl).toBe(VALUES.MODEL_URL);
  });

  test('shows nothing of its values, and never looks the same', () => {
    const [one, two] = [seal(VALUES, key), seal(VALUES, key)];
    expect(one).not.toBe(two);
    for (const text of [one, Buffer.from(one, 'base64').toString('latin1')]) expect(text).not.toContain('secret');
  });

  test.each([
    ['another key', { SCORER_KEY: makeSealingKey(), SCORER_SEALED: seal(VALUES, key) }],
    ['no key', { SCORER_SEALED: seal(VALUES, key) }],
    ['a cut text', { SCORER_KEY: key, SCORER_SEALED: seal(VALUES, key).slice(0, -8) }],
  ])('is refused with %s, naming no value', (_, environment) => {
    expect(() => unseal(environment)).toThrow(/^The scorer's environment variable SCORER_SEALED cannot be opened/);
  });
});

test('an environment without a sealed part is taken as it is', () => {
  expect(unseal(VALUES)).toBe(VALUES);
});
