import { beforeEach, describe, expect, it } from 'vitest';
import { type Step, TimeAccount } from '../../../src/scorer/records/time-account.js';

let now = 0;
let account: TimeAccount;
beforeEach(() => {
  now = 0;
  account = new TimeAccount(() => now);
});

/** Begins a step and gives what ends it. */
function begin(step: Step): () => Promise<void> {
  let end = () => {};
  const done = account.during(step, () => new Promise<void>((resolve) => (end = resolve)));
  return () => {
    end();
    return done;
  };
}

const nothing = { start: 0, model: 0, storage: 0, pictures: 0, inference: 0, other: 0 };

it('divides a start-up by what it waits for', async () => {
  now = 300;
  const fetched = begin('fetch');
  now = 1000;
  await fetched();
  now = 1100;
  const loaded = begin('modelLoad');
  now = 2600;
  await loaded();
  account.ready();
  now = 2700;
  expect(account.split()).toEqual({ ...nothing, start: 400, storage: 700, model: 1500, other: 100 });
});

describe('an engine', () => {
  beforeEach(() => account.ready());

  it('that works counts as inference, whatever goes on beside it', async () => {
    const fetched = begin('fetch');
    now = 10;
    account.engineBusy(1, now);
    now = 30;
    await fetched();
    now = 50;
    account.engineBusy(0, now);
    now = 55;
    expect(account.split()).toEqual({ ...nothing, storage: 10, inference: 40, other: 5 });
  });

  it('that is idle waits for the frame that is nearest to it', async () => {
    const fetched = begin('fetch');
    const decoded = begin('decode');
    const stored = begin('store');
    now = 7;
    await decoded();
    now = 10;
    await fetched();
    const encoded = begin('encode');
    now = 14;
    await stored();
    now = 15;
    await encoded();
    expect(account.split()).toEqual({ ...nothing, pictures: 8, storage: 7 });
  });

  it('is one of several: each session counts for its share', async () => {
    const fetched = begin('fetch');
    account.engineBusy(0.5, now);
    now = 10;
    account.engineBusy(1, now);
    now = 14;
    account.engineBusy(0, now);
    await fetched();
    expect(account.split()).toEqual({ ...nothing, inference: 9, storage: 5 });
  });

  it('ended earlier than was heard of it: the time since belongs to what went on meanwhile', async () => {
    account.engineBusy(1, now);
    const fetched = begin('fetch');
    now = 10;
    const decoded = begin('decode');
    await fetched();
    now = 100;
    await decoded();
    now = 102;
    account.engineBusy(0, 4);
    expect(account.split()).toEqual({ ...nothing, inference: 4, storage: 6, pictures: 90, other: 2 });
  });

  it('that is idle waits for what keeps this thread from all else, whatever goes on beside it', async () => {
    const fetched = begin('fetch');
    now = 2;
    await account.during('encode', () => {
      now = 50;
      return Promise.resolve();
    });
    now = 53;
    await fetched();
    expect(account.split()).toEqual({ ...nothing, storage: 5, pictures: 48 });
  });

  it('prepares and reads pictures itself, which is no inference', () => {
    account.engineBusy(1, now);
    now = 100;
    account.engineBusy(0, now);
    account.noInference(30);
    expect(account.split()).toEqual({ ...nothing, inference: 70, pictures: 30 });
  });
});

it('accounts for every moment exactly once, whatever happens', async () => {
  let seed = 7;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const steps: Step[] = ['modelLoad', 'fetch', 'decode', 'prepare', 'finish', 'encode', 'store'];
  const open: (() => Promise<void>)[] = [];
  let busy = 0;
  for (let turn = 0; turn < 2000; turn += 1) {
    now += random() * 10;
    if (turn === 100) account.ready();
    const dice = random();
    if (dice < 0.4) open.push(begin(steps[Math.floor(random() * steps.length)] ?? 'fetch'));
    else if (dice < 0.8) await open.splice(Math.floor(random() * open.length), 1)[0]?.();
    else {
      const before = busy;
      busy = Math.floor(random() * 3) / 2;
      account.engineBusy(busy, busy < before ? now - random() * 3 : now);
    }
    const split = account.split();
    expect(Object.values(split).reduce((sum, part) => sum + part, 0)).toBeCloseTo(now, 6);
    for (const part of Object.values(split)) expect(part).toBeGreaterThanOrEqual(0);
  }
});
