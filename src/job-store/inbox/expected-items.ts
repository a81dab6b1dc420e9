import type { Expectation } from '../../job/inbox/expectation.js';
import { readJson, type Storage, writeJson } from '../../storage/storage.js';
import { EXPECTATION, jobOf } from '../layout.js';

/** Keeps what a folder is expected to hold before its job begins. */
export async function writeExpectation(storage: Storage, jobId: string, expectation: Expectation): Promise<void> {
  await jobOf(storage, jobId).createIfNotExists();
  await writeJson(jobOf(storage, jobId), EXPECTATION, expectation);
}

/** Undefined when nothing is expected. */
export const readExpectation = (storage: Storage, jobId: string) =>
  readJson<Expectation>(jobOf(storage, jobId), EXPECTATION);
