import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { type Device, DEVICES } from '../../../job/compute-choice.js';
import { messageOf } from '../../../job/failure.js';
import { silenceRuntime } from '../silent-runtime.js';
import { loadCodec } from '../../pictures/load-codec.js';
import { inspectModel, loadReader } from './inspect.js';
import { type TrialRequest, tryModel } from './trial.js';

/**
 * `node inspect-main.js MODEL.onnx [NAME] [DEVICE] [try|try-soon]`: one line of JSON, the model's signature or `{"error": …}` with exit code
 * 2; also an error when the device cannot be used. With `try`, which reads a request from standard input, more lines follow: what a trial
 * of the model has shown so far, each whole. With `try-soon` the file need not be there before the request, which has a picture.
 */
const [file = '', name = path.basename(file), wanted, mode] = process.argv.slice(2);
const device: Device = DEVICES.find((known) => known === wanted) ?? 'cpu';
const print = (value: unknown) => console.log(JSON.stringify(value));
giveWay();
silenceRuntime();
try {
  if (mode === 'try' || mode === 'try-soon') {
    const asking = text(process.stdin);
    if (mode === 'try-soon') await Promise.all([loadReader(), loadCodec('auto', () => undefined)]);
    const request = JSON.parse(await asking) as TrialRequest;
    await inspectModel(file, name, device, async (session, signature) => {
      print(signature);
      try {
        for await (const trial of tryModel(session, signature, request)) print(trial);
      } catch {
        // The app completes the card from the signature too, and says what is wrong with it.
      }
    });
  } else print(await inspectModel(file, name, device));
} catch (error) {
  print({ error: messageOf(error) });
  process.exitCode = 2;
}

/** When memory runs out, as it may while a model of large constants is loaded, Linux is to end this process and not the app. */
function giveWay(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Another system.
  }
}
