import path from 'node:path';
import { messageOf } from '../job/failure.js';
import { inspectModel } from './inspect.js';

/** `node inspect-main.js MODEL.onnx [NAME]`: one line of JSON, the model's signature or `{"error": …}` with exit code 2. */
const [file = '', name = path.basename(file)] = process.argv.slice(2);
try {
  console.log(JSON.stringify(await inspectModel(file, name)));
} catch (error) {
  console.log(JSON.stringify({ error: messageOf(error) }));
  process.exitCode = 2;
}
