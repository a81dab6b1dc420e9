import { messageOf } from '../../job/failure.js';
import { type Answer, READY, receive, send } from './decoder-protocol.js';
import { loadCodec } from './load-codec.js';

/**
 * `node decoder-process.js CODEC` reads pictures for a scorer, one after another, so that one that never ends or breaks the picture
 * library can be ended and costs nobody else.
 */
const NOTHING = new Uint8Array(0);
const codec = await loadCodec(process.argv[2] === 'jimp' ? 'jimp' : 'sharp', () => {});

receive(process.stdin, ({ body }) => void answer(body));
// The scorer is gone. A picture that is being read cannot be interrupted.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL'));
send(process.stdout, READY, NOTHING);

async function answer(file: Uint8Array): Promise<void> {
  const reply = (head: Answer, pixels: Uint8Array) => send(process.stdout, head, pixels);
  try {
    const { width, height, data } = await codec.decode(file);
    reply({ ok: true, width, height }, data);
  } catch (error) {
    reply({ ok: false, message: messageOf(error) }, NOTHING);
  }
}
