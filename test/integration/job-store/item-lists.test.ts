import { randomBytes } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { expect, inject, onTestFinished, test } from 'vitest';
import { LIST_LENGTH } from '../../../src/job/items/item-list.js';
import { readListed, writeItemList } from '../../../src/job-store/images/items.js';
import { itemListBlob, jobOf } from '../../../src/job-store/layout.js';
import type { ResolvedJob } from '../../../src/job-store/resolved-job.js';
import { openAzurite } from '../../support/storage.js';

const newHost = () => openAzurite(inject('storage'));

/** A job with so many lists, whose first items are named after their lists. */
async function newJob(lists: number) {
  const jobId = `lists-${randomBytes(4).toString('hex')}`;
  const writer = newHost();
  await jobOf(writer, jobId).create();
  const write = (list: number, name: string, host = writer) =>
    writeItemList(host, jobId, list, [{ name, output: name }]);
  for (let list = 0; list < lists; list += 1) await write(list, `first of ${list}`);
  const job = { jobId, images: 'in/' } as ResolvedJob;
  const first = async (list: number, host = writer) => (await readListed(host, job, list * LIST_LENGTH, 1))[0]?.name;
  return { jobId, write, first };
}

/** Counts what is asked of a job's storage until the test ends. */
function countRequests(jobId: string): () => number {
  let asked = 0;
  const count = (message: unknown) => {
    if ((message as { request: ClientRequest }).request.path.includes(jobId)) asked += 1;
  };
  diagnostics.subscribe('http.client.request.start', count);
  onTestFinished(() => void diagnostics.unsubscribe('http.client.request.start', count));
  return () => asked;
}

test('batches that follow one another read their list once', async () => {
  const { jobId, first } = await newJob(1);
  const asked = countRequests(jobId);
  for (let batch = 0; batch < 5; batch += 1) expect(await first(0)).toBe('first of 0');
  expect(asked()).toBe(1);
});

test('what one host has read, another reads for itself', async () => {
  const { jobId, first } = await newJob(1);
  await first(0, newHost());
  const asked = countRequests(jobId);
  expect(await first(0, newHost())).toBe('first of 0');
  expect(asked()).toBe(1);
});

test('a host that writes a list reads it anew, even where it is read meanwhile', async () => {
  const { first, write } = await newJob(1);
  await first(0);
  const writing = write(0, 'another');
  await first(0);
  await writing;
  expect(await first(0)).toBe('another');
});

test('only the last lists are kept', async () => {
  const { jobId, first } = await newJob(6);
  for (let list = 0; list < 6; list += 1) await first(list);
  const asked = countRequests(jobId);
  await first(5);
  expect(asked()).toBe(0);
  await first(0);
  expect(asked()).toBe(1);
});

test('a list that could not be read is asked for again', async () => {
  const { first, write } = await newJob(0);
  await expect(first(0)).rejects.toThrow('is gone');
  await write(0, 'first of 0', newHost());
  expect(await first(0)).toBe('first of 0');
});

test('a list that is damaged is refused, and the sentence names it', async () => {
  const { jobId, first } = await newJob(1);
  const cut = '{"name":"a.png","output":"a"}\n{"name":"b.pn';
  await jobOf(newHost(), jobId).getBlockBlobClient(itemListBlob(0)).upload(cut, cut.length);
  await expect(first(0)).rejects.toMatchObject({
    blame: 'user',
    message: `The item list 0 of job ${jobId} is damaged; start the job again.`,
  });
});
