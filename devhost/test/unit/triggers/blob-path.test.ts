import { describe, expect, it } from 'vitest';
import { parseBlobPath } from '../../../src/triggers/blob-path.js';

describe('the path', () => {
  it.each([
    ['in/{name}', 'a.txt', { name: 'a.txt' }],
    ['in/{name}', 'deep/down/a.txt', { name: 'deep/down/a.txt' }],
    ['in/{name}.{ext}', 'a.tar.gz', { name: 'a.tar', ext: 'gz' }],
    ['in/{folder}/{name}.mp4', 'x/y/z.mp4', { folder: 'x/y', name: 'z' }],
    ['in/{name}.mp4', 'z.mov', undefined],
    ['in/{name}.mp4', 'z.mp4.part', undefined],
    ['in/{name}.mp4', 'z.MP4', undefined],
    ['in/{name}.mp4', '.mp4', { name: '' }],
    ['in/jobs/{name}', 'jobs', undefined],
    ['in/jobs/{name}', 'other/jobs/a', undefined],
    ['in/jobs/{name}', 'jobs/', { name: '' }],
    ['in/fixed.txt', 'fixed.txt', {}],
    ['in/fixed.txt', 'fixedxtxt', undefined],
    ['in/fixed.txt', 'fixed.txt2', undefined],
    ['in/a+(b)[c]^$|\\*?.txt', 'a+(b)[c]^$|\\*?.txt', {}],
    ['in/{{2026}}/{name}', '{2026}/a', { name: 'a' }],
    ['in/{{2026}}/{name}', '2026/a', undefined],
    ['in/{a}-{b}', '1-2-3', { a: '1-2', b: '3' }],
    ['in/{a}{b}', 'xyz', { a: 'xyz', b: '' }],
    ['in', 'anything/at.all', {}],
    ['in/', 'anything', {}],
    ['in/ä ö/{name}', 'ä ö/ü', { name: 'ü' }],
  ])('%s and a blob %s', (path, blob, expected) => {
    const pattern = parseBlobPath(path.replace(/^in/, 'inbox'));
    expect(pattern.match(blob)).toEqual(expected);
    if (expected) expect(blob.startsWith(pattern.prefix)).toBe(true);
  });

  it.each(['inbox/{name}', '/inbox/{name}', 'Inbox/{name}', 'inbox'])('%s is of the container inbox', (path) => {
    expect(parseBlobPath(path).container).toBe('inbox');
  });

  it.each([
    ['inbox/a/{name}.b', 'a/'],
    ['inbox/{{a}}b{name}', '{a}b'],
    ['inbox/{name}', ''],
    ['inbox', ''],
    ['inbox/fixed', 'fixed'],
  ])('%s is of blobs that begin with "%s"', (path, prefix) => {
    expect(parseBlobPath(path).prefix).toBe(prefix);
  });

  it.each([
    ['{container}/{name}', /"\{container\}" is no name of a container/],
    ['a/{name}', /"a" is no name/],
    ['in_box/{name}', /"in_box" is no name/],
    ['inbox-/{name}', /"inbox-" is no name/],
    ['', /"" is no name/],
    ['inbox/{name', /brace has no partner/],
    ['inbox/name}', /brace has no partner/],
    ['inbox/{}', /"\{\}" is no parameter/],
    ['inbox/{rand-guid}', /"\{rand-guid\}" is no parameter/],
    ['inbox/{a.b}', /"\{a\.b\}" is no parameter/],
  ])('%s is refused', (path, reason) => {
    expect(() => parseBlobPath(path)).toThrow(reason);
  });
});
