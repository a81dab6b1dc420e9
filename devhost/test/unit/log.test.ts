import { RestError } from '@azure/storage-queue';
import { expect, it } from 'vitest';
import { messageOf } from '../../src/log.js';

it('an error without a message is told by what else it says', () => {
  expect(messageOf(new RestError('', { code: 'InternalError', statusCode: 500 }))).toBe(
    'RestError, InternalError, HTTP 500',
  );
  expect(messageOf(new TypeError(''))).toBe('TypeError');
  expect(messageOf(new TypeError('said'))).toBe('said');
});
