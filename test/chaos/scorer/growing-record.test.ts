import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readEnvironment } from '../../../src/container-contract/environment.js';
import { TaskBlobs } from '../../../src/scorer/run/task-blobs.js';
import { ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { cardFor } from '../../support/scorer/one-model.js';
import { startStorageProxy, type StorageFault, type StorageProxy } from '../../support/storage-proxy.js';

describe('a record that grows', () => {
  let proxy: StorageProxy;
  let job: ScorerJob;
  beforeAll(async () => {
    proxy = await startStorageProxy(inject('storage'));
    job = await ScorerJob.create(proxy.connectionString, {
      model: STARRY_NIGHT,
      card: cardFor({}, ['b', 3, 'h', 'w']),
    });
  });
  afterAll(() => proxy.stop());

  const open = async (name: string) => {
    const environment = readEnvironment(await job.environment());
    return new TaskBlobs(environment).growingRecord(name);
  };
  const read = async (name: string) => (await job.job.getBlobClient(name).downloadToBuffer()).toString();

  it.each<[StorageFault, RegExp]>([
    ['cut-before', /appendblock/],
    ['cut-after', /appendblock/],
    ['failed-after', /appendblock/],
    ['twice', /appendblock/],
    ['busy', /appendblock/],
    ['cut-after', /^PUT .*\.jsonl\?(?!.*appendblock)/],
    ['twice', /^PUT .*\.jsonl\?(?!.*appendblock)/],
  ])('has each line once although a request is %s (%s)', async (fault, of) => {
    const name = `timings/${fault}-${of.source.length}.jsonl`;
    const append = await open(name);
    proxy.strike(fault, of);
    await append('one\n');
    proxy.strike(fault, of);
    await append('two\n');
    await append('three\n');
    expect(proxy.struck[fault]).toBeGreaterThan(0);
    expect(await read(name)).toBe('one\ntwo\nthree\n');
  });

  it('keeps what a process wrote that ran before, and goes on after a write that failed', async () => {
    const [first, second] = await Promise.all([open('timings/again.jsonl'), open('timings/again.jsonl')]);
    await first('before\n');
    await second('after\n');
    await expect(first('lost\n')).rejects.toMatchObject({ blame: 'platform', message: /write timings\/again.jsonl/ });
    await first('found\n');
    expect(await read('timings/again.jsonl')).toBe('before\nafter\nfound\n');
  });
});
