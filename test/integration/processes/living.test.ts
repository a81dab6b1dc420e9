import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isAlive, lives, startOf } from '../../../src/processes/living.js';
import { until } from '../../support/wait.js';

test.skipIf(process.platform !== 'linux')(
  'a process that was killed and that nobody has asked about lives no more',
  async () => {
    // The shell starts a child, becomes a program that never asks about it, and says the child's number.
    const parent = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const [said] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(said.toString());
      const me = { pid, started: await startOf(pid) };
      expect([isAlive(pid), await lives(me)]).toEqual([true, true]);
      process.kill(pid, 'SIGKILL');
      await until('its end', () => (readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z') ? true : undefined));
      expect([isAlive(pid), await lives(me)]).toEqual([false, false]);
    } finally {
      parent.kill('SIGKILL');
    }
  },
);

test('a process that has the number of another one is not it', async () => {
  expect(await lives({ pid: process.pid, started: await startOf(process.pid) })).toBe(true);
  expect(await lives({ pid: process.pid, started: 'another time' })).toBe(false);
});
