import { describe, expect, test } from 'vitest';
import type { Fault } from '../../../azure-emulator/src/faults.js';
import { jobContainer, MANIFEST } from '../../../src/job-store/layout.js';
import { PHASES } from '../../../src/job/attempts/phases.js';
import { checkManifest } from '../../support/manifest.js';
import { useEmulatedJobs } from '../../support/emulated-jobs.js';
import { LOOK_MS, until } from '../../support/wait.js';

const jobs = useEmulatedJobs();
const once = { retry: { maxAttempts: 1, firstDelaySeconds: 0 } };

const phasesOf = async (id: string, batch: number) => {
  const blob = jobs.stack.storage.getContainerClient(jobContainer(id)).getBlobClient(MANIFEST);
  const { batches } = checkManifest(await blob.downloadToBuffer());
  return batches[batch]?.attempts.flatMap(({ attempt, phases }) => (phases ? [{ attempt, ...phases }] : [])) ?? [];
};

describe('a job on emulated Container Instances', () => {
  test.each<[string, Fault]>([
    ['no capacity', { on: 'PUT', status: 409, code: 'ServiceUnavailable', message: 'not available in the location' }],
    ['a look whose answer is lost', { on: 'GET', cut: true }],
  ])('waits out %s without spending an attempt', async (_, fault) => {
    await jobs.spoil(fault);
    const id = await jobs.start('aci');
    if (fault.on === 'PUT' && 'code' in fault) {
      const waiting = async () => (await jobs.stack.client.status(id)).waiting[0];
      expect(await until('the reason', waiting, LOOK_MS)).toMatch(/no room for the container now|throttl/);
    }
    await jobs.endsRight(id);
    expect((await jobs.stack.client.status(id)).waiting).toEqual([]);
    expect(await jobs.attempts(id)).toEqual([1, 1]);
  });

  test('waits out a region that finds no room after all', async () => {
    await jobs.spoil({ on: 'GROUP', fate: 'no-capacity' });
    expect(await jobs.endsRight(await jobs.start('aci', once))).toHaveLength(3);
  });

  test('waits out a container that never starts', async () => {
    await jobs.spoil({ on: 'GROUP', fate: 'never-starts' });
    const id = await jobs.start('aci', { ...once, timeouts: { provisionSeconds: 20 } });
    expect(await jobs.endsRight(id)).toHaveLength(3);
    const { containerTime } = await jobs.stack.client.status(id);
    expect(containerTime?.sentence).toMatch(/^\d+ % of the container time waits for containers to start/);
    expect(containerTime?.seconds.start).toBeGreaterThan(15);
  });

  test.each<[string, 'end' | 'lose', number | undefined, number]>([
    ['maintenance (7147)', 'end', 7147, 1],
    ['the loss of a group', 'lose', undefined, 1],
  ])(
    'scores only what is missing after %s, and tells the phases of both containers',
    async (_, how, exitCode, maxAttempts) => {
      const id = await jobs.start('aci', { retry: { maxAttempts, firstDelaySeconds: 0 } });
      await jobs.strike(id, how, exitCode);
      await jobs.endsRight(id);
      expect(await jobs.attempts(id)).toEqual([2, 1]);
      const phases = await phasesOf(id, 0);
      expect(phases.map(({ attempt }) => attempt)).toEqual([1, 2]);
      // A container that is killed has told of itself up to its last report, which is a second old at most.
      const [killed = [], whole] = phases.map(({ seconds }) => Object.keys(seconds));
      // What only the platform knew is lost with the group.
      const told = how === 'lose' ? ['started'] : ['queued', 'pulled', 'started'];
      expect(killed.slice(0, told.length)).toEqual(told);
      expect(whole).toEqual(PHASES);
    },
  );

  test('that crashes more often than it may ends with the exit code in its sentence', async () => {
    const id = await jobs.start('aci', once);
    await jobs.strike(id, 'end', 137);
    const status = await jobs.stack.ended(id);
    expect(status.state).toBe('failed');
    expect(status.error?.message).toMatch(/items could not be scored.*exit code 137.*ACI_MEMORY_GB/);
    await jobs.nothingLeft(id);
  });
});
