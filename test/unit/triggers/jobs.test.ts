import { expect, test } from 'vitest';
import { idOfRequest } from '../../../src/triggers/jobs.js';

test('the same request has the same id, and any other another one', () => {
  const id = idOfRequest('key', '{"model":"a"}');
  expect(id).toMatch(/^[a-z2-7]{8}$/);
  expect(idOfRequest('key', '{"model":"a"}')).toBe(id);
  expect(idOfRequest('other', '{"model":"a"}')).not.toBe(id);
  expect(idOfRequest('key', '{"model":"b"}')).not.toBe(id);
});
