import { describe, expect, test } from 'vitest';
import { isPublicAddress, publicAddressOf } from '../../../src/internet/addresses.js';

describe('an address', () => {
  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '52.239.1.2',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '192.167.0.1',
    '223.255.255.254',
    '168.63.129.15',
    '2606:4700:4700::1111',
    '2a00:1450:4001:80f::200e',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test.each([
    '0.0.0.0',
    '10.0.0.1',
    '10.255.255.255',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '168.63.129.16',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '64:ff9b::a00:1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:a00:1::1',
    '3fff::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '',
    'example.com',
    '8.8.8',
    '08.8.8.8',
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

const WHAT = "The webhook's host";

describe('the address of a webhook', () => {
  const resolving =
    (...addresses: string[]) =>
    () =>
      Promise.resolve(addresses);

  test('is the first that its name has', async () => {
    await expect(publicAddressOf(WHAT, 'example.com', resolving('8.8.8.8', '1.1.1.1'))).resolves.toBe('8.8.8.8');
  });

  test.each<[string, string[]]>([
    ['only a private address', ['10.0.0.1']],
    ['a private address beside a public one', ['8.8.8.8', '169.254.169.254']],
    ['no address', []],
  ])('is none when its name has %s', async (_, addresses) => {
    await expect(publicAddressOf(WHAT, 'hooks.example.com', resolving(...addresses))).rejects.toMatchObject({
      name: 'JobError',
      blame: 'user',
      message: expect.stringMatching(/hooks\.example\.com/) as string,
    });
  });

  test('is taken as it is where the URL has it, in whatever writing', async () => {
    const itself = (host: string) => Promise.resolve([host.replace(/^\[(.*)\]$/, '$1')]);
    for (const url of [
      'https://2130706433/',
      'https://0x7f.1/',
      'https://127.1/',
      'https://[::1]/',
      'https://[::ffff:a00:1]/',
    ])
      await expect(publicAddressOf(WHAT, new URL(url).hostname, itself), url).rejects.toThrow(/public/);
  });
});
