/**
 * One process that only runs `session.run`, over and over, on a tensor made beforehand: what the scorer is measured against.
 * Arguments: MODEL WIDTH HEIGHT THREADS SPINNING(0|1) RUNS. Prints `ready`, waits for a line, prints the milliseconds taken
 * and those of CPU time.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { waves } from './workload.js';

const [model = '', width, height, threads, spinning = '0', runs] = process.argv.slice(2);
const session = await ort.InferenceSession.create(readFileSync(model), {
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  extra: { session: { intra_op: { allow_spinning: spinning } } },
  logSeverityLevel: 3,
});
const tensor = new ort.Tensor('float32', waves(Number(width), Number(height)), [1, 3, Number(height), Number(width)]);
const name = session.inputNames[0] ?? '';
for (let warmUp = 0; warmUp < 2; warmUp += 1) await session.run({ [name]: tensor });
console.log('ready');
await once(process.stdin, 'data');
const began = performance.now();
const before = process.cpuUsage();
for (let run = 0; run < Number(runs); run += 1) await session.run({ [name]: tensor });
const { user, system } = process.cpuUsage(before);
console.log(performance.now() - began, (user + system) / 1000);
process.stdin.destroy();
