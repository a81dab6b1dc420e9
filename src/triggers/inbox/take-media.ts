import type { InvocationContext, StorageQueueHandler } from '@azure/functions';
import type { Ports } from '../../activities/ports.js';
import { isPassing } from '../../container-contract/storage-access.js';
import { isUnusableName } from '../../job/items/blob-names.js';
import { JobError, messageOf } from '../../job/failure.js';
import { ticketDelaySeconds } from '../../job/inbox/admission.js';
import { type Claim, decided } from '../../job/inbox/claim.js';
import {
  isMediaCreated,
  type MediaEvent,
  parseMessage,
  shownName,
  writeMediaEvent,
  writeTicket,
} from '../../job/inbox/media-event.js';
import { whatStarts } from '../../job/inbox/what-starts.js';
import { changeClaim, claimVersion, readClaim } from '../../job-store/inbox/claims.js';
import { standInLine } from '../../job-store/inbox/line.js';
import { lookAtMedia, nearestDefaults } from '../../job-store/inbox/media.js';
import { countMessages, sendToInbox } from '../../job-store/inbox/messages.js';
import { quarantineMessage } from '../../job-store/inbox/quarantine.js';
import { INBOX } from '../../job-store/layout.js';
import { type Admit, refuseMedia } from './admit.js';
import { decideJob } from './decide.js';

export interface TakePorts extends Pick<Ports, 'storage' | 'bundledModels' | 'telemetry' | 'urls'> {
  admit: Admit;
}

const NO_EVENT_REMEDY =
  'Only events of new blobs belong into this queue, as CloudEvents or in the Event Grid schema; correct whoever sends others.';

/** How long a copy of a message stays away that finds storage busy, or a blob that is still being copied. */
const LATER_SECONDS = 30;

/**
 * Takes the messages of the queue `inbox-events`: each new version of a blob starts the one job that it stands for, or is put into
 * quarantine with the reason, or is left alone. What has to wait is sent again, so that only faults of the app use up a message's tries.
 */
export function createTakeMedia(ports: TakePorts): StorageQueueHandler {
  return async (message, context) => {
    try {
      await takeMessage(ports, context, message);
    } catch (error) {
      const passes = isPassing(error) || (error instanceof JobError && error.blame === 'platform');
      if (!passes) throw error;
      context.warn(`inbox: a message comes again in ${LATER_SECONDS} s: ${messageOf(error)}`);
      await sendToInbox(ports.storage, typeof message === 'string' ? message : JSON.stringify(message), LATER_SECONDS);
    }
  };
}

async function takeMessage(ports: TakePorts, context: InvocationContext, message: unknown): Promise<void> {
  const parsed = parseMessage(message);
  if (parsed.kind === 'rubbish') {
    const reason = `The message is no event: ${parsed.reason}.`;
    const record = await quarantineMessage(ports.storage, message, { reason, remedy: NO_EVENT_REMEDY });
    context.warn(`inbox: a message is no event, see ${record}: ${parsed.reason}`);
    return;
  }
  if (parsed.kind === 'ticket') return waitOrStart(ports, context, parsed.claim);
  for (const event of parsed.events) await takeEvent(ports, context, event);
}

async function takeEvent(ports: TakePorts, context: InvocationContext, event: MediaEvent): Promise<void> {
  const { storage } = ports;
  const { account, container, name } = event;
  const leave = (why: string) => context.info(`inbox: ${container}/${shownName(name)} is left alone: ${why}`);
  if (!isMediaCreated(event)) return leave(`the event is ${event.type} by ${event.api ?? 'nobody'}`);
  if (account !== storage.media.accountName || container !== INBOX) return leave(`it is in the account ${account}`);
  const starter = whatStarts(name);
  if (starter === undefined) return leave('its name starts nothing');
  if (isUnusableName(name)) return refuseName(ports, context, event);
  const seen = await lookAtMedia(storage, event);
  if (seen.is === 'arriving') return sendToInbox(storage, writeMediaEvent(event), LATER_SECONDS);
  if (seen.is !== 'there') return leave(`it is ${seen.is}`);
  const defaults = starter === 'job-file' ? undefined : await nearestDefaults(storage, name);
  if (starter === 'video' && defaults === undefined) return leave('there are no defaults for it');
  const claim = await claimVersion(storage, event);
  const decision = await decide(ports, context, claim, () =>
    decideJob(ports, { event, starter, bytes: seen.bytes, metadata: seen.metadata, defaults }),
  );
  if (decision.state !== 'waiting') return;
  await standInLine(storage, decision);
  await waitOrStart(ports, context, decision.claim);
}

async function refuseName(ports: TakePorts, context: InvocationContext, event: MediaEvent): Promise<void> {
  const claim = await claimVersion(ports.storage, event);
  if (claim.state !== 'claimed') return;
  const sentence = `The name ${INBOX}/${shownName(event.name)} is too long, or has control characters, backslashes or parts that are empty or end in a dot; upload the file under another name.`;
  await refuseMedia(ports, context, claim, new JobError('user', sentence));
}

async function decide(
  ports: TakePorts,
  context: InvocationContext,
  claim: Claim,
  decideNow: () => ReturnType<typeof decideJob>,
): Promise<Claim> {
  if (claim.state !== 'claimed') return claim;
  try {
    const job = await decideNow();
    return await changeClaim(ports.storage, claim, (each) => decided(each, job));
  } catch (error) {
    if (!(error instanceof JobError) || error.blame === 'platform') throw error;
    await refuseMedia(ports, context, claim, error);
    return { ...claim, state: 'refused' };
  }
}

/** Lets whoever is first in line start; while this claim still waits, its ticket is sent again. */
async function waitOrStart(ports: TakePorts, context: InvocationContext, id: string): Promise<void> {
  await ports.admit(context);
  const claim = await readClaim(ports.storage, id);
  if (claim?.state !== 'waiting') return;
  const delay = ticketDelaySeconds(await countMessages(ports.storage));
  await sendToInbox(ports.storage, writeTicket(id), delay);
}
