import type { InvocationContext, TimerHandler } from '@azure/functions';
import type { BlobItem } from '@azure/storage-blob';
import pMap from 'p-map';
import type { Ports } from '../../activities/ports.js';
import { messageOf } from '../../job/failure.js';
import { bareEtag, type MediaEvent, shownName, writeMediaEvent, writeTicket } from '../../job/inbox/media-event.js';
import { whatStarts } from '../../job/inbox/what-starts.js';
import { claimId, readClaim } from '../../job-store/inbox/claims.js';
import { firstInLine } from '../../job-store/inbox/line.js';
import { nearestDefaults } from '../../job-store/inbox/media.js';
import { countMessages, sendToInbox } from '../../job-store/inbox/messages.js';
import { INBOX, inboxOf } from '../../job-store/layout.js';
import { listBlobs } from '../../storage/storage.js';
import type { Launcher } from '../launch.js';
import type { Admit } from './admit.js';

interface SweepPorts extends Pick<Ports, 'storage'> {
  admit: Admit;
  launcher: Pick<Launcher, 'freeEnded'>;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** Shorter than claims are kept, so that nothing starts again whose claim has gone. */
const LOOKS_BACK_MS = 7 * 86_400_000;
/** An event that the sweep has sent is on its way for so long. */
const SENT_MS = 600_000;
const MOST_REMEMBERED = 100_000;
/** A look through a large inbox takes long; the next one begins no sooner than after so many times as long. */
const RESTS = 2;
/** Claims that are read at the same time. */
const LOOKS = 16;

/**
 * Looks through the inbox for what no event has told of, and sends the event that it should have been. Run every few seconds, as on a
 * laptop, where storage sends no events, it is the watch over the inbox.
 */
export function createInboxSweep({ storage, admit, launcher, now = Date.now }: SweepPorts): TimerHandler {
  /** Versions that are over, or when their event was sent. */
  const known = new Map<string, number>();
  const remember = (id: string, until: number) => {
    known.delete(id);
    known.set(id, until);
    const [oldest] = known.keys();
    if (known.size > MOST_REMEMBERED && oldest !== undefined) known.delete(oldest);
  };

  async function sweepOne(context: InvocationContext, blob: BlobItem, hasDefaults: (name: string) => Promise<boolean>) {
    const event = eventOf(storage.media.accountName, blob);
    const id = claimId(event);
    if ((known.get(id) ?? 0) > now()) return;
    const claim = await readClaim(storage, id);
    if (claim && claim.state !== 'claimed') return remember(id, Infinity);
    if (whatStarts(event.name) === 'video' && !(await hasDefaults(event.name))) return;
    await sendToInbox(storage, writeMediaEvent(event));
    remember(id, now() + SENT_MS);
    context.info(`inbox: ${shownName(event.name)} was found by the sweep`);
  }

  /** Whoever brings the first file needs the container. */
  let made: Promise<unknown> | undefined;
  let restsUntil = 0;
  return async (_, context) => {
    const began = now();
    if (began < restsUntil) return;
    made ??= inboxOf(storage).createIfNotExists();
    await made.catch(() => (made = undefined));
    const hasDefaults = rememberDefaults(storage);
    const sweep = (blob: BlobItem) =>
      sweepOne(context, blob, hasDefaults).catch((error: unknown) =>
        // The next run tries again; the others need not wait for that.
        context.error(`inbox: ${shownName(blob.name)} was not looked at: ${messageOf(error)}`),
      );
    await pMap(newMedia(storage, began - LOOKS_BACK_MS), sweep, { concurrency: LOOKS });
    await launcher.freeEnded(context);
    await keepLineMoving(context);
    restsUntil = now() + RESTS * (now() - began);
  };

  /** A line whose tickets were lost would stand for ever. */
  async function keepLineMoving(context: InvocationContext): Promise<void> {
    const first = await firstInLine(storage);
    if (!first) return;
    await admit(context);
    const still = await firstInLine(storage);
    if (still && still.claim !== '' && (await countMessages(storage)) === 0)
      await sendToInbox(storage, writeTicket(still.claim));
  }
}

/** Blobs that start something by their names. @param since milliseconds since the epoch. */
async function* newMedia(storage: Ports['storage'], since: number): AsyncGenerator<BlobItem> {
  for await (const blob of listBlobs(inboxOf(storage), { prefix: '', includeMetadata: true })) {
    const isOurs = blob.metadata?.job !== undefined;
    if (whatStarts(blob.name) !== undefined && !isOurs && blob.properties.lastModified.getTime() > since) yield blob;
  }
}

function eventOf(account: string, { name, properties }: BlobItem): MediaEvent {
  const { etag, lastModified, contentLength } = properties;
  return {
    id: `sweep-${bareEtag(etag)}`,
    account,
    container: INBOX,
    name,
    etag: bareEtag(etag),
    time: lastModified.toISOString(),
    bytes: contentLength,
    type: '',
    api: undefined,
  };
}

/** Asks once for each folder of a run. */
function rememberDefaults(storage: Ports['storage']): (name: string) => Promise<boolean> {
  const folders = new Map<string, Promise<boolean>>();
  return (name) => {
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    const has = folders.get(folder) ?? nearestDefaults(storage, name).then((defaults) => defaults !== undefined);
    folders.set(folder, has);
    return has;
  };
}
