import path from 'node:path';
import { type Device, DEVICES } from '../../job/compute-choice.js';
import { messageOf } from '../../job/failure.js';
import { inspectModel } from './inspect.js';

/**
 * `node inspect-main.js MODEL.onnx [NAME] [DEVICE]`: one line of JSON, the model's signature or `{"error": …}` with exit code
 * 2; also an error when the device cannot be used.
 */
const [file = '', name = path.basename(file), wanted] = process.argv.slice(2);
const device: Device = DEVICES.find((known) => known === wanted) ?? 'cpu';
try {
  console.log(JSON.stringify(await inspectModel(file, name, device)));
} catch (error) {
  console.log(JSON.stringify({ error: messageOf(error) }));
  process.exitCode = 2;
}
