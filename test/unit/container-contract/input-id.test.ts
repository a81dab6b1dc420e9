import { expect, test } from 'vitest';
import { inputIdOf, readInputId, versionId, writeInputId } from '../../../src/container-contract/input-id.js';

const item = { input: 'a/b.png', etag: '0x1' };
const bytes = Buffer.from('picture');

test('a picture is told by its bytes, and by the version that was read', () => {
  const id = inputIdOf(item, bytes);
  expect(id).toEqual({
    sha256: '2cea274d0bedc39ec4ab6ba9e59ec889e3ed6fb56a1cf088a64d9b383378dc97',
    bytes: 7,
    version: versionId('a/b.png', '0x1'),
  });
  expect(inputIdOf({ ...item, input: 'c.png' }, bytes).sha256).toBe(id.sha256);
  expect(inputIdOf(item, Buffer.from('Picture')).sha256).not.toBe(id.sha256);
  expect(versionId('a/b.png', '0x2')).not.toBe(id.version);
  expect(versionId('a/c.png', '0x1')).not.toBe(id.version);
});

test.each([item, { input: 'a/b.png' }])('what tells it survives the way through storage', (each) => {
  const id = inputIdOf(each, bytes);
  expect(readInputId(writeInputId(id))).toEqual(id);
});

test.each([undefined, '', 'abc', `${'a'.repeat(64)} x -`, `${'a'.repeat(64)} 7`, `${'A'.repeat(64)} 7 -`])(
  'anything else tells nothing: %s',
  (text) => expect(readInputId(text)).toBeUndefined(),
);
