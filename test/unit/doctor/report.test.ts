import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { judgeVersion } from '../../../src/cli/commands/doctor.js';
import { checkMachine, checkNode, judgeDisk } from '../../../src/doctor/machine.js';
import { judgeEncoders } from '../../../src/doctor/programs.js';
import { attempt, cleanGroups, fail, ok, renderReport, warn, withoutPrivate } from '../../../src/doctor/report.js';
import { checkAzure, checkSettings } from '../../../src/doctor/services.js';

const who = { home: '/home/ada', user: 'ada', host: 'ada-laptop' };

describe('a report for others', () => {
  test('names neither the user nor the machine nor a subscription, and holds no secret', () => {
    const text =
      'At /home/ada/x on ada-laptop, /mnt/ada/data: AccountKey=c2VjcmV0c2VjcmV0c2VjcmV0; 1b4e28ba-2fa1-11d2-883f-0016d3cca427';
    const said = withoutPrivate(text, who);
    expect(said).toContain('~/x on HOST, /mnt/USER/data');
    expect(said).not.toMatch(/ada|c2VjcmV0|1b4e28ba/);
  });

  test('leaves words alone in which the name of the user is', () => {
    expect(withoutPrivate('canada and adamant', who)).toBe('canada and adamant');
  });

  test('has every check on a line of its own, and counts', () => {
    const checks = [
      ok('Node', '22'),
      warn('port 7071', 'in use', 'Another one is taken.'),
      fail('FFmpeg', 'a\n b', 'Install it.'),
    ];
    const report = renderReport(
      'app 1',
      cleanGroups(
        [
          { title: 'Here', checks },
          { title: 'None', checks: [] },
        ],
        who,
      ),
    );
    expect(report).toMatch(/^# app 1\n\n## Here\n/);
    expect(report).toContain('- ok   Node       22');
    expect(report).toContain('- warn port 7071  in use. Another one is taken.');
    expect(report).toContain('- fail FFmpeg     a b. Install it.');
    expect(renderReport('app 1', [{ title: 'Here', checks: [fail('x', 'A is wrong.', 'Mend it.')] }])).toContain(
      'A is wrong. Mend it.',
    );
    expect(report).not.toContain('None');
    expect(report).toMatch(/1 failed, 1 to look at, 1 fine\.$/);
  });

  test('says which settings are set, and of what only numbers', () => {
    const env = {
      WEBHOOK_SECRET_A: '12345',
      KEEP_FRAMES_DAYS: '3',
      ACI_IMAGE: 'private/x',
      MOST_JOBS_PER_DAY: '',
      HOME: '/',
    };
    expect(checkSettings(env).checks).toMatchObject([{ found: 'ACI_IMAGE, KEEP_FRAMES_DAYS=3, WEBHOOK_SECRET_A' }]);
    expect(checkSettings({}).checks).toMatchObject([{ state: 'ok' }]);
  });
});

describe('a check', () => {
  test('that throws fails with the sentence, and one that hangs with the time', async () => {
    expect(await attempt('x', () => Promise.reject(new Error('Set A.')))).toMatchObject([
      { state: 'fail', found: 'Set A.' },
    ]);
    expect(await attempt('x', () => new Promise(() => undefined), 1)).toMatchObject([{ state: 'fail' }]);
  });

  test('of Node fails below the version that is asked for', () => {
    const states = ['18.0.0', '20.18.9', '20.19.0', '24.1.0'].map((version) => checkNode(version, '>=20.19').state);
    expect(states).toEqual(['fail', 'fail', 'ok', 'ok']);
  });

  test('of a disk warns when it is nearly full, and fails when it is', () => {
    const gib = 1024 ** 3;
    expect([0.1, 2, 50].map((free) => judgeDisk('disk', free * gib, '/').state)).toEqual(['fail', 'warn', 'ok']);
  });

  test('of a disk fails where nothing can be written, as where a file has the place of the folder', async () => {
    const own = import.meta.filename;
    const { checks } = await checkMachine('>=20', [
      ['data', own],
      ['below', path.join(own, 'data')],
      ['new', path.join(import.meta.dirname, 'new/data')],
    ]);
    const states = checks.flatMap(({ about, state }) => (about.startsWith('disk') && state === 'fail' ? [about] : []));
    expect(states.slice(0, 2)).toEqual(['disk, data', 'disk, below']);
    expect(checks.find(({ about }) => about === 'disk, data')).toMatchObject({
      found: expect.stringContaining(own) as string,
    });
  });

  test('of the encoders fails without the one for the usual codec', () => {
    const listed = (...names: string[]) => names.map((name) => ` V....D ${name}     words`).join('\n');
    expect(judgeEncoders(listed('libx264', 'libx265', 'libvpx-vp9', 'ffv1', 'aac'))).toMatchObject({ state: 'ok' });
    expect(judgeEncoders(listed('libx264', 'aac'))).toMatchObject({
      state: 'warn',
      help: expect.stringContaining('libx265') as string,
    });
    expect(judgeEncoders(listed('libx264rgb', 'aac'))).toMatchObject({ state: 'fail' });
    expect(judgeEncoders('')).toMatchObject({ state: 'fail' });
  });

  test('of a deployed app warns where its version is another one', () => {
    expect([
      judgeVersion('1.0.0', '1.0.0'),
      judgeVersion('0.9.0', '1.0.0'),
      judgeVersion(undefined, '1.0.0'),
    ]).toMatchObject([{ state: 'ok' }, { state: 'warn' }, { state: 'warn' }]);
  });

  test('of settings that no app starts with fails with the one that is wrong', async () => {
    const { checks } = await checkAzure({ KEEP_FRAMES_DAYS: 'x' });
    expect(checks).toMatchObject([{ state: 'fail', found: expect.stringContaining('KEEP_FRAMES_DAYS') as string }]);
  });

  test('of Azure says what is not set up where nothing is', async () => {
    const { checks } = await checkAzure({});
    expect(checks.map(({ about, state }) => `${about}: ${state}`)).toEqual([
      'storage: ok',
      'aci: ok',
      'container-apps: ok',
    ]);
  });

  test('of Azure fails where nothing is set up and it was asked for', async () => {
    const { checks } = await checkAzure({}, { isAskedFor: true });
    expect(checks).toMatchObject([{ about: 'Azure', state: 'fail', help: expect.stringContaining('--url') as string }]);
  });
});
