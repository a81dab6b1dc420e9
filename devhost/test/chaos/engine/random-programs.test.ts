import { expect, inject, it } from 'vitest';
import { openTablesBackend } from '../../../src/backend/tables-backend.js';
import { newHub } from '../../support/host-process.js';
import {
  LIVES_AT_MOST,
  mostRuns,
  randomNumbers,
  randomProgram,
  resultOf,
  runInterrupted,
} from '../../support/random-programs.js';

/** How many random programs run at once, each on a hub of its own; test/unit/engine/random-programs.test.ts runs more of them in memory. */
const PROGRAMS = Number(process.env['RANDOM_PROGRAMS'] ?? 5);
const SEED = Number(process.env['RANDOM_SEED'] ?? 1000);

it(
  'random orchestrators on tables give what they should, however often their hosts die',
  { timeout: 400_000 },
  async () => {
    await Promise.all(
      Array.from({ length: PROGRAMS }, async (_, index) => {
        const random = randomNumbers(SEED + index);
        const id = `t${SEED + index}`;
        const program = randomProgram(id, random);
        const options = { patienceSeconds: 10, partitionCount: 4, hiddenSeconds: 30, log: () => undefined };
        const storage = await openTablesBackend(inject('storage'), newHub(), options);
        const output = await runInterrupted(id, program, { random, storage });
        expect(output, `seed ${SEED + index}: ${JSON.stringify(program)}`).toEqual(resultOf(program));
        expect(mostRuns(id)).toBeLessThanOrEqual(2 * LIVES_AT_MOST);
      }),
    );
  },
);
