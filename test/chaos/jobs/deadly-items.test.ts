import { describe, expect, test } from 'vitest';
import { DEADLY, useDeadlyItems } from '../../support/deadly-items.js';

const { score } = useDeadlyItems();
const { crash, kill, hang, memory } = DEADLY;

/** Frames that are no danger, but for those at some indices. */
const frames = (count: number, deadly: Record<number, number>) =>
  Array.from({ length: count }, (_, index) => deadly[index] ?? index);

describe.concurrent('items of which containers end', () => {
  test('crashing their program fail by name at two runs each, and the rest is scored', async () => {
    const { failed, done, runs, told } = await score('local', frames(60, { 20: crash, 45: crash }));
    expect([...failed.keys()], told.join('\n')).toEqual([20, 45]);
    expect(failed.get(20)).toBe(
      'the container ended twice while it scored this item, at last alone: the scorer was killed by SIGSEGV',
    );
    expect(done).toBe(58);
    expect(runs).toBeLessThanOrEqual(5);
    expect(told.at(-2)).toMatch(/^0000045: the container ended twice/);
  });

  test('being killed, which others may have done, fail at the third time', async () => {
    const { failed, done, runs, told } = await score('local', frames(8, { 2: kill }));
    expect(failed.get(2), told.join('\n')).toContain('the container ended 3 times');
    expect([done, runs]).toEqual([7, 4]);
  });

  test('hanging or crashing fail alone, although the model gets several at a time', async () => {
    const timeouts = { itemSeconds: 2 };
    const deadly = { 5: hang, 13: crash };
    const { failed, done, told } = await score('aci', frames(24, deadly), { timeouts }, 4);
    expect(failed.get(5), told.join('\n')).toMatch(
      /^the model took longer than timeouts.itemSeconds \(2 for one item\)/,
    );
    expect(failed.get(13)).toContain('exit code 139');
    expect(done).toBe(22);
  });

  test('hanging where nothing in the container notices it fail by the watchdog of the app', async () => {
    const timeouts = { itemSeconds: 4, stallSeconds: 5 };
    const { failed, done, told } = await score('local', frames(8, { 3: DEADLY.standstill }), { timeouts });
    expect(failed.get(3), told.join('\n')).toContain('handled no item for longer than timeouts.stallSeconds');
    expect(done).toBe(7);
  });

  test.each(['aci', 'container-apps'] as const)('running out of memory are scored with more, on %s', async (kind) => {
    const { failed, done, runs, told, memory: had } = await score(kind, frames(16, { 6: memory }));
    expect(failed.size, told.join('\n')).toBe(0);
    expect([done, runs]).toEqual([16, 2]);
    expect((had[1] ?? 0) / (had[0] ?? 0)).toBeCloseTo(2, 1);
    expect(told[0]).toMatch(/; any further container of the batch gets 1 GB of memory$/);
  });

  test('running out of memory fail by name where there is no more', async () => {
    const retry = { escalateMemory: false, firstDelaySeconds: 0 };
    const { failed, done, runs, told } = await score('aci', frames(16, { 6: memory }), { retry });
    expect(failed.get(6), told.join('\n')).toMatch(/twice .* at last alone: .*out of memory/);
    expect([done, runs]).toEqual([15, 3]);
  });
});
