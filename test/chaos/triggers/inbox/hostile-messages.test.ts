import { expect, test } from 'vitest';
import { createDice, hostileText, mutatedBody, mutatedJson } from '../../../support/hostile.js';
import { base64, cloudEvent, gridEvent, newFolder } from '../../../support/inbox.js';
import { useMediaHosts } from '../../../support/media-hosts.js';

/** The same number always makes the same messages. */
const MESSAGES = Number(process.env['HOSTILE_MESSAGES'] ?? 100);
const hosts = useMediaHosts();

/** As the host hands a message over: what its text says when that is JSON, else the text. */
function handedOver(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

test(`${MESSAGES} hostile messages are each done with at once, and what was put into the queue rightly still starts its job`, async () => {
  const dice = createDice(MESSAGES);
  const host = hosts.newHost();
  const folder = newFolder();
  const job = await hosts.put(`${folder}/job.json`, mutatedJson(dice, { model: 'm', input: { images: './' } }, 0.3));
  for (let k = 0; k < MESSAGES; k += 1) {
    const name = dice.chance(0.4)
      ? `${hostileText(dice)}/${hostileText(dice)}.mp4`
      : dice.pick(['a.job.json', '_READY', job.name]);
    const version = { ...job, name, etag: dice.chance(0.3) ? hostileText(dice) : job.etag };
    const event = dice.pick<object>([cloudEvent(version), gridEvent(version), { ticket: `inbox-${'0'.repeat(32)}` }]);
    const body = mutatedBody(dice, dice.chance(0.2) ? [event, event] : event);
    const text = dice.chance(0.3) ? body.toString('base64') : body.toString();
    // A fault of the app would be thrown, and end in the poison queue.
    await expect(
      host.take(handedOver(text)).then(() => undefined, String),
      text.slice(0, 1000),
    ).resolves.toBeUndefined();
  }
  expect(host.logged.filter((line) => line.includes('at /') || line.includes('\n'))).toEqual([]);
  // What is hostile does not come again and again either.
  expect(host.logged.filter((line) => line.includes('comes again'))).toEqual([]);
  const good = await hosts.put(`${folder}/_READY`, JSON.stringify({ model: 'm' }));
  await host.take(handedOver(base64(cloudEvent(good))));
  expect((await hosts.claim(good))?.state).toBe('started');
});
