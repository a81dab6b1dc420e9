import { expect, it } from 'vitest';
import { withoutCredentials } from '../../../src/protocol/credentials.js';

it.each([
  [
    'https://a.blob.core.windows.net/c/b?sr=b&sig=abc%3D&se=2030 and more',
    'https://a.blob.core.windows.net/c/b?sr=b[Hidden Credential]',
  ],
  ['AccountName=a;AccountKey=abc==;EndpointSuffix=x', 'AccountName=a;[Hidden Credential]'],
  ['DefaultEndpointsProtocol=https;AccountName=a;AccountKey=b', '[Hidden Credential]'],
  ['{"url":"http://x/?code=abc","next":1}', '{"url":"http://x/[Hidden Credential]","next":1}'],
  ["password=hunter2' and <a key=1>", "[Hidden Credential]' and <a [Hidden Credential]"],
  ['SharedAccessKeyName=n;sharedaccesskey=s', 'SharedAccessKeyName=n;[Hidden Credential]'],
  ['a PublicKeyToken=b77a5c561934e089', 'a PublicKeyToken=b77a5c561934e089'],
  ['there is no blob', 'there is no blob'],
])('of %s the rest from the first credential on is hidden', (text, shown) => {
  expect(withoutCredentials(text)).toBe(shown);
});
