import type { OrchestrationContext } from 'durable-functions';
import type { Failure } from '../job/failure.js';
import { gatheringInWords, gaveUpWaiting, isComplete } from '../job/inbox/expectation.js';
import { patientActivitiesOf, sleep, type Step } from './calls.js';

const SHORTEST_SECONDS = 15;
const LONGEST_SECONDS = 1800;

/** Seconds until the next look, after having waited for so long: a week is some four hundred looks. */
const pauseAfter = (seconds: number) => Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, seconds / 20));

export interface Gather {
  jobId: string;
  /** Path of the folder. */
  images: string;
  /** How long it is waited for what is expected. */
  hours: number;
}

/**
 * Waits until all images are in the folder that are expected there.
 * @param say is told how many there are.
 * @returns why the job cannot begin; undefined when all are there.
 */
export function* gather(
  context: OrchestrationContext,
  { jobId, images, hours }: Gather,
  say: (words: string) => void,
): Step<Failure | undefined> {
  const began = context.df.currentUtcDateTime.getTime();
  for (;;) {
    const looked = yield* patientActivitiesOf(context).lookForItems({ jobId, images });
    if (!looked.ok) return looked.failure;
    if (isComplete(looked.value)) return undefined;
    const waited = (context.df.currentUtcDateTime.getTime() - began) / 1000;
    const left = hours * 3600 - waited;
    if (left <= 0) return { blame: 'user', message: gaveUpWaiting(images, looked.value, hours) };
    say(gatheringInWords(looked.value));
    yield* sleep(context, Math.min(left, pauseAfter(waited)));
  }
}
