import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findFfmpeg } from '../../../src/media/media.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'find-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const program = (name: string) => {
  writeFileSync(path.join(folder, name), '', { mode: 0o755 });
  return path.join(folder, name);
};

describe('findFfmpeg', () => {
  it('prefers the setting, then the search path, then the npm package', () => {
    const [ffmpeg, mine] = [program('ffmpeg'), program('mine')];
    const searchPath = ['/nowhere', folder].join(path.delimiter);
    expect(findFfmpeg({ ffmpegPath: mine }, searchPath).ffmpeg).toBe(mine);
    expect(findFfmpeg({}, searchPath)).toEqual({ ffmpeg, ffprobe: expect.stringContaining('node_modules') });
    expect(findFfmpeg({}, '').ffmpeg).toContain('node_modules');
  });

  it('makes the npm programs executable, which no install script does', () => {
    for (const file of Object.values(findFfmpeg({}, ''))) expect(() => accessSync(file, constants.X_OK)).not.toThrow();
  });

  it('names a setting that leads nowhere', () => {
    expect(() => findFfmpeg({ ffprobePath: '/nowhere/ffprobe' }, '')).toThrow(
      /ffprobe names \/nowhere\/ffprobe, which is not a program/,
    );
  });
});
