import { describe, expect, test } from 'vitest';
import { whatStarts } from '../../../../src/job/inbox/what-starts.js';

describe('the name of a new blob', () => {
  test.each([
    ['coast.job.json', 'job-file'],
    ['a/b/coast.job.json', 'job-file'],
    ['a/job.json', 'job-file'],
    ['job.json', 'job-file'],
    ['a/COAST.JOB.JSON', 'job-file'],
    ['a/.job.json', 'job-file'],
    ['coast.mp4', 'video'],
    ['a/b/Coast.MOV', 'video'],
    ['a/coast.mkv', 'video'],
    ['a/coast.webm', 'video'],
    ['a/_READY', 'folder'],
    ['a/b/_ready', 'folder'],
    ['_READY', 'folder'],
  ])('%s starts a job by a %s', (name, kind) => {
    expect(whatStarts(name)).toBe(kind);
  });

  test.each([
    'a/frame-0001.png',
    'a/photo.jpg',
    'a/audio.m4a',
    'a/notes.txt',
    'a/coast.json',
    'a/myjob.json',
    'a/job.json.bak',
    'a/job.jsonl',
    'a/_defaults.json',
    '_defaults.json',
    'a/READY',
    'a/_READY.txt',
    'a/_READY/b.png',
    'a/mp4',
    'a/coast.mp4.part',
    'a/coast.mp4/',
    'a/._coast.mp4',
    'a/._coast.job.json',
    'a/_READY/',
    '',
    '/',
  ])('%s starts nothing', (name) => {
    expect(whatStarts(name)).toBeUndefined();
  });

  test.each([
    '_uploads/k3v9q2xa/coast.mp4',
    'a/_old/coast.mp4',
    'a/_draft.mp4',
    '_x/job.json',
    '_x/_READY',
    'a/_b.job.json',
  ])('%s has a part that begins with an underscore, so it starts nothing', (name) => {
    expect(whatStarts(name)).toBeUndefined();
  });

  test.each(['a/./coast.mp4', 'a//coast.mp4', 'a/bell\u0007.mp4', 'a\\coast.mp4'])(
    'still says what %j is meant to start, so that its owner hears why it does not',
    (name) => {
      expect(whatStarts(name)).toBe('video');
    },
  );
});
