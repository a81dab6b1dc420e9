import { describe, expect, test } from 'vitest';
import { doneBlob, quarantineBlob } from '../../../src/job-store/layout.js';
import { isUnusableName } from '../../../src/job/items/blob-names.js';

const CLAIM = `inbox-${'0123456789abcdef'.repeat(2)}`;

describe('the name of a record of the quarantine', () => {
  test('is the path of the blob and what tells its versions apart', () => {
    expect(quarantineBlob('a/b/coast.mp4', CLAIM)).toBe('a/b/coast.mp4.89abcdef.json');
    expect(quarantineBlob('a/b/coast.mp4', `${CLAIM.slice(0, -1)}0`)).not.toBe(quarantineBlob('a/b/coast.mp4', CLAIM));
  });

  test.each([
    'bell\u0007.mp4',
    'back\\slash',
    '\uD83C half',
    'a./b..',
    '/a//b',
    '..',
    './x',
    'ä'.repeat(1024),
    '🎞'.repeat(600),
    'a/'.repeat(200),
  ])('is one that storage holds, whatever the path is: %j', (name) => {
    const blob = quarantineBlob(name, CLAIM);
    expect(isUnusableName(blob)).toBe(false);
  });
});

describe('the name of a done file', () => {
  test('leads from what started the job to the job, in a folder that is no output', () => {
    expect(doneBlob('coast-k3v9q2xa', 'inbox/a/coast.mp4')).toBe('_done/a/coast.mp4.coast-k3v9q2xa.done.json');
    expect(doneBlob('coast-k3v9q2xa')).toBe('_done/coast-k3v9q2xa.done.json');
  });
});
