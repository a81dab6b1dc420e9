import type { OrchestrationContext } from 'durable-functions';
import type { Failure } from '../job/failure.js';
import { gatheringInWords, gaveUpWaiting, isComplete } from '../job/inbox/expectation.js';
import { secondsSince } from '../job/progress.js';
import { isLong, patientActivitiesOf, sleep, type Step } from './calls.js';

const SHORTEST_SECONDS = 15;
const LONGEST_SECONDS = 1800;
/** Room comes and goes. */
const LONGEST_FOR_ROOM_SECONDS = 300;

/** Seconds until the next look, after having waited for so long: a week is some four hundred looks. */
const pauseAfter = (seconds: number) => Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, seconds / 20));

export interface Gather {
  jobId: string;
  /** Path of the folder. */
  images: string;
  /** How long it is waited for what is expected. */
  hours: number;
  /** When that began, ISO 8601. */
  since: string;
}

/**
 * Waits until all images are in the folder that are expected there, and then for room beside the jobs that run.
 * @param say is told what it waits for.
 * @returns why the job cannot begin; undefined when it can; or that it is time to go on as a new execution.
 */
export function* gather(
  context: OrchestrationContext,
  { jobId, images, hours, since }: Gather,
  say: (words: string) => void,
): Step<Failure | undefined | 'goes on'> {
  const waiting = createWait(context, since);
  for (;;) {
    if (isLong(context)) return 'goes on';
    const looked = yield* patientActivitiesOf(context).lookForItems({ jobId, images });
    if (!looked.ok) return looked.failure;
    if (isComplete(looked.value)) return yield* awaitRoom(context, jobId, looked.value.expected, say);
    const left = hours * 3600 - waiting.seconds();
    if (left <= 0) return { blame: 'user', message: gaveUpWaiting(images, looked.value, hours) };
    say(gatheringInWords(looked.value));
    yield* waiting.pause(left);
  }
}

/** Others that have come meanwhile may be first. */
function* awaitRoom(
  context: OrchestrationContext,
  jobId: string,
  items: number,
  say: (words: string) => void,
): Step<Failure | undefined | 'goes on'> {
  const waiting = createWait(context, context.df.currentUtcDateTime.toISOString());
  for (;;) {
    if (isLong(context)) return 'goes on';
    const taken = yield* patientActivitiesOf(context).takePlace({ jobId, items });
    if (!taken.ok) return taken.failure;
    if (taken.value.full === undefined) return undefined;
    say(`waits for room: ${taken.value.full}`);
    yield* waiting.pause(LONGEST_FOR_ROOM_SECONDS);
  }
}

function createWait(context: OrchestrationContext, since: string) {
  const seconds = () => secondsSince({ startedAt: since }, context.df.currentUtcDateTime.getTime());
  return { seconds, pause: (most: number) => sleep(context, Math.min(most, pauseAfter(seconds()))) };
}
