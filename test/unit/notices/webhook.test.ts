import { expect, test } from 'vitest';
import { headersOf, signatureOf } from '../../../src/notices/webhook.js';

test('a webhook is signed over its time and its body, so that neither can be changed nor sent again later', () => {
  const signed = signatureOf('secret', 1_790_000_000, '{"a":1}');
  // What `printf '1790000000.{"a":1}' | openssl dgst -sha256 -hmac secret` says.
  expect(signed).toBe('sha256=da8fe498621aaab99d5b11c51346b13d1a2bf2914b865b8d3edd3531cab25a3e');
  const others = [
    signatureOf('Secret', 1_790_000_000, '{"a":1}'),
    signatureOf('secret', 1_790_000_001, '{"a":1}'),
    signatureOf('secret', 1_790_000_000, '{"a":2}'),
    signatureOf('secret', 179_000_000, '0.{"a":1}'),
  ];
  expect(new Set([signed, ...others]).size).toBe(5);
});

test('its headers carry what its reader needs to check it and to know it again', () => {
  expect(headersOf({ id: 'notice-1', secret: 's', body: '{"t":"東"}' }, 1_790_000_000_999)).toEqual({
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'content-length': '11',
    'user-agent': 'durable-batch-scoring',
    'x-notice-id': 'notice-1',
    'x-timestamp': '1790000000',
    'x-signature': signatureOf('s', 1_790_000_000, '{"t":"東"}'),
  });
});
