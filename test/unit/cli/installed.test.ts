import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { APP_FOLDER, calling, usualDataFolder } from '../../../src/cli/installed.js';

describe('in a checkout', () => {
  test('commands are called as scripts of npm', () => {
    expect(['start', 'score', 'score --redrive coast-1'].map((command) => calling(command, true))).toEqual([
      'npm start',
      'npm run score',
      'npm run score -- --redrive coast-1',
    ]);
  });

  test('the data of the local stack is in the checkout', () => {
    expect(usualDataFolder({}, 'linux', true)).toBe(path.join(APP_FOLDER, '.local'));
  });
});

describe('installed as a package', () => {
  test('commands are called with npx', () => {
    expect(['start', 'score --redrive coast-1'].map((command) => calling(command, false))).toEqual([
      'npx durable-batch-scoring start',
      'npx durable-batch-scoring score --redrive coast-1',
    ]);
  });

  test('the data of the local stack is where the system keeps data of a user', () => {
    const home = os.homedir();
    const own = 'durable-batch-scoring';
    expect(usualDataFolder({}, 'linux', false)).toBe(path.join(home, '.local/share', own));
    expect(usualDataFolder({ XDG_DATA_HOME: '/data' }, 'linux', false)).toBe(path.join('/data', own));
    expect(usualDataFolder({ XDG_DATA_HOME: 'relative' }, 'linux', false)).toBe(path.join(home, '.local/share', own));
    expect(usualDataFolder({ XDG_DATA_HOME: '/x' }, 'darwin', false)).toBe(
      path.join(home, 'Library/Application Support', own),
    );
    expect(usualDataFolder({ LOCALAPPDATA: 'C:/Local' }, 'win32', false)).toBe(path.join('C:/Local', own));
    expect(usualDataFolder({}, 'win32', false)).toBe(path.join(home, 'AppData/Local', own));
  });
});
