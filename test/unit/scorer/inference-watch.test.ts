import { describe, expect, it, vi } from 'vitest';
import { InferenceWatch } from '../../../src/scorer/run/inference-watch.js';

const items = [0, 1, 2].map((index) => ({ name: String(index), index }));

function watchWith(itemSeconds: number | undefined) {
  let now = 0;
  const hung = vi.fn();
  const watch = new InferenceWatch(itemSeconds, hung, () => now);
  const pass = (seconds: number) => {
    for (let k = 0; k < seconds; k += 1) {
      now += 1000;
      watch.tick();
    }
  };
  const sleep = (seconds: number) => {
    now += 1000 * seconds;
  };
  return { watch, hung, pass, sleep };
}

describe('the watch over inferences', () => {
  it('tells once what the engine has been busy with for longer than an item may take', () => {
    const { watch, hung, pass } = watchWith(10);
    const [one, other] = [items.slice(0, 1), items.slice(1)];
    watch.begin(one);
    pass(8);
    watch.end(one);
    watch.begin(other);
    // Two items that the model gets together may take twice as long.
    pass(19);
    expect(hung).not.toHaveBeenCalled();
    pass(20);
    expect(hung.mock.calls).toEqual([[other]]);
    watch.close();
  });

  it('does not count what the engine has run for another reason, each run of which may take as long', () => {
    const { watch, hung, pass } = watchWith(10);
    const [one, other] = [items.slice(0, 1), items.slice(1, 2)];
    watch.begin(one);
    watch.begin(other);
    pass(8);
    watch.end(other);
    for (const _ of ['compared', 'judged', 'scored']) {
      watch.again(one);
      pass(9);
    }
    expect(hung).not.toHaveBeenCalled();
    pass(2);
    expect(hung.mock.calls).toEqual([[one]]);
    watch.close();
  });

  it('does not count the time in which the machine slept or the process stood still', () => {
    const { watch, hung, pass, sleep } = watchWith(10);
    watch.begin(items.slice(0, 1));
    sleep(3600);
    pass(7);
    expect(hung).not.toHaveBeenCalled();
    pass(4);
    expect(hung).toHaveBeenCalledTimes(1);
    watch.close();
  });

  it('lets an item take as long as it wants where nobody has named a limit', () => {
    const { watch, hung, pass } = watchWith(undefined);
    watch.begin(items);
    pass(5000);
    expect(hung).not.toHaveBeenCalled();
    watch.close();
  });
});
