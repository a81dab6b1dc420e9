import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startEmulator } from '../../azure-emulator/src/emulator.js';
import { FOREVER, launchOf, standIn } from '../support/aci.js';
import { containerApps } from '../support/container-apps.js';
import { until } from '../support/wait.js';

test('an emulator that stops ends also a container that nothing leads to any more', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'emulator-'));
  const file = path.join(folder, 'pid');
  const emulator = await startEmulator({ port: 0, ...standIn(), delays: { waitMs: 0, pullMs: 0 } });
  const tell = `require('fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); ${FOREVER}`;
  await containerApps({ emulator, exchanges: [] }).launch(launchOf(tell, { deadline: Date.now() + 3_500_000 }));
  const pid = await until('the container to run', () =>
    readFile(file, 'utf8').then(
      (text) => Number(text) || undefined,
      () => undefined,
    ),
  );
  emulator.apps.jobs.clear();
  await emulator.stop();
  await rm(folder, { recursive: true });
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});
