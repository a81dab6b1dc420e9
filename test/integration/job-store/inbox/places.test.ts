import { randomBytes } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { givePlaces, knowSize, readPlaces, takePlace } from '../../../../src/job-store/inbox/places.js';
import { openAzurite } from '../../../support/storage.js';

const storage = openAzurite(inject('storage'));
const newJob = () => `job-${randomBytes(4).toString('hex')}`;

/** The stack that all tests share has jobs of other tests, so limits count from what is there. */
async function limits(more: { jobs?: number; items?: number; bytes?: number }) {
  const { places } = await readPlaces(storage);
  const sum = (of: 'items' | 'bytes') => places.reduce((total, place) => total + place[of], 0);
  return {
    jobs: more.jobs === undefined ? Infinity : places.length + more.jobs,
    items: more.items === undefined ? Infinity : sum('items') + more.items,
    bytes: more.bytes === undefined ? Infinity : sum('bytes') + more.bytes,
  };
}

test('places are taken once by each job and given back, and a job that finds none hears why', async () => {
  const holder = newJob();
  await takePlace(storage, { job: holder, items: 0, bytes: 0 }, await limits({}));
  const few = await limits({ bytes: 10 });
  const first = { job: newJob(), items: 1, bytes: 6 };
  const second = { job: newJob(), items: 1, bytes: 6 };
  const place = await takePlace(storage, first, few);
  expect(place).toMatchObject(first);
  expect(await takePlace(storage, first, few)).toEqual(place);
  expect(await takePlace(storage, second, few)).toMatch(/bytes of input/);
  await givePlaces(storage, [first.job]);
  expect(await takePlace(storage, second, few)).toMatchObject(second);
  await knowSize(storage, second.job, { items: 70 });
  expect((await readPlaces(storage)).places.find(({ job }) => job === second.job)).toMatchObject({
    items: 70,
    bytes: 6,
  });
  await givePlaces(storage, [second.job, holder]);
  expect((await readPlaces(storage)).places.map(({ job }) => job)).not.toContain(second.job);
});

test('many that ask at the same moment take no more places than there are', async () => {
  const holder = newJob();
  await takePlace(storage, { job: holder, items: 0, bytes: 0 }, await limits({}));
  const few = await limits({ items: 5 });
  const jobs = Array.from({ length: 16 }, newJob);
  const answers = await Promise.all(jobs.map((job) => takePlace(storage, { job, items: 1, bytes: 0 }, few)));
  expect(answers.filter((answer) => typeof answer === 'object')).toHaveLength(5);
  await givePlaces(storage, [...jobs, holder]);
});
