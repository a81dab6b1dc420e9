import { expect, it } from 'vitest';
import { MemoryBackend } from '../../../src/backend/memory-backend.js';
import { EngineInProcess } from '../../support/engine-in-process.js';
import {
  LIVES_AT_MOST,
  mostRuns,
  randomNumbers,
  randomProgram,
  resultOf,
  runInterrupted,
} from '../../support/random-programs.js';

const PROGRAMS = Number(process.env['RANDOM_PROGRAMS'] ?? 25);
const SEED = Number(process.env['RANDOM_SEED'] ?? 1);

it('random orchestrators give the same in peace and on hosts that die, with refused checkpoints and lost answers', async () => {
  const peaceful = new EngineInProcess();
  await Promise.all(
    Array.from({ length: PROGRAMS }, async (_, index) => {
      const seed = SEED + index;
      const random = randomNumbers(seed);
      const program = randomProgram(`p${seed}`, random);
      const what = `seed ${seed}: ${JSON.stringify(program)}`;
      const id = await peaceful.start('program', program, `p${seed}`);
      expect((await peaceful.ends(id)).output, what).toEqual(resultOf(program));
      expect(mostRuns(`p${seed}`), what).toBeLessThanOrEqual(1);

      const shaken = randomProgram(`i${seed}`, randomNumbers(seed));
      const output = await runInterrupted(`i${seed}`, shaken, { random, storage: new MemoryBackend() });
      expect(output, what).toEqual(resultOf(shaken));
      expect(mostRuns(`i${seed}`), what).toBeLessThanOrEqual(2 * LIVES_AT_MOST);
    }),
  );
  await peaceful.stop();
});
