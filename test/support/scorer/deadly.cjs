/**
 * Loaded before a scorer: makes the model do to its process what some do that are too large or have a mistake. What it does is the first
 * value that the model gets, as frames have it: see `DEADLY` in `deadly-items.ts`.
 */
const { InferenceSession } = require('onnxruntime-node');

const run = InferenceSession.prototype.run;
InferenceSession.prototype.run = function (feeds, ...more) {
  const [input] = Object.values(feeds);
  const entry = input.data.length / input.dims[0];
  for (let k = 0; k < input.dims[0]; k += 1) befall(Math.round(input.data[k * entry]));
  return run.call(this, feeds, ...more);
};

function befall(value) {
  if (value === 206) return wait(100);
  if (value === 201) process.kill(process.pid, 'SIGSEGV');
  if (value === 202) process.kill(process.pid, 'SIGKILL');
  if (value === 205) process.kill(process.pid, 'SIGSTOP');
  if (value > 200 && value !== 204) for (;;);
  if (value === 204) hold(700e6, 1500);
}

/** Needs so much memory for a while. */
function hold(bytes, milliseconds) {
  const memory = Buffer.alloc(bytes, 1);
  wait(milliseconds);
  return memory;
}

function wait(milliseconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
