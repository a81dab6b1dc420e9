import type { Observation } from '../../compute/provider.js';
import type { Printed } from '../../container-contract/printout.js';
import {
  type AttemptEnd,
  batchStanding,
  judgeAttempt,
  messageOfEnd,
  type WatchEnd,
} from '../../job/attempts/attempt-end.js';
import { hideSecrets } from '../../job/failure.js';
import { lastAttempt, readBatchState, unscoredOf } from '../../job-store/batches/batch-state.js';
import { keepLog } from '../../job-store/batches/logs.js';
import { containerName } from '../../job-store/layout.js';
import { readResolvedJob } from '../../job-store/resolved-job.js';
import { readSettled, writeSettled } from '../../job-store/batches/settled.js';
import { readStop } from '../../job-store/stop.js';
import { noteWaiting, orNoteWaiting } from '../../job-store/batches/waiting.js';
import type { AttemptInput } from './launch-batch.js';
import { stopIfTooMuchIsLost } from './stop-exceeded.js';
import type { Invocation, Ports } from '../ports.js';
import { readTraces, tellAttempt } from './tell-attempt.js';

export interface SettleInput extends AttemptInput {
  watchEnd: WatchEnd;
  /** Milliseconds since the epoch, on the durable clock. */
  launchedAt: number;
}

export interface SettleResult {
  failed: number;
  /** Items with no output and no recorded failure. */
  missing: number;
  ended: AttemptEnd;
}

/** After a container ended: compares outputs with items, keeps its log, removes it. Running it again gives the same result. */
export function createSettleBatch({ storage, compute, telemetry }: Pick<Ports, 'storage' | 'compute' | 'telemetry'>) {
  const settle = async (input: SettleInput, invocation: Invocation | undefined): Promise<SettleResult> => {
    const { jobId, batch, attempt, watchEnd } = input;
    const launched = new Date(input.launchedAt).toISOString();
    const job = await readResolvedJob(storage, jobId);
    const provider = compute[job.spec.compute.kind];
    const name = containerName(jobId, batch, attempt);
    const earlier = await readSettled(storage, jobId, batch);
    const { observation, seenEnded = new Date().toISOString() } =
      earlier?.attempt === attempt ? earlier : { observation: await provider.observe(name) };
    await keepLog(storage, input, async () => [
      ...(await provider.logs(name)),
      ...howItEnded(observation.endedAt ?? seenEnded, observation),
    ]);
    // What was seen is kept before the container goes: a second delivery would find nothing.
    const before = { done: 0, failed: 0, phases: [], unscored: [], ...earlier };
    await writeSettled(storage, jobId, {
      ...before,
      batch,
      attempt,
      state: 'retrying',
      message: '',
      observation,
      seenEnded,
    });
    await provider.remove(name);
    const state = await readBatchState(storage, job, input, attempt);
    const traces = await readTraces(storage, input, { observation, seenEnded, state, launched });
    const stop = await readStop(storage, jobId);
    const ended = withFailedItem(
      judgeAttempt({
        watchEnd,
        missing: state.missing.length,
        container: { alive: isAlive(observation), blame: observation.blame, reason: observation.reason },
        result: traces.result,
        stop,
      }),
      state.failed[0],
    );
    const message = messageOfEnd(ended);
    const standing = batchStanding(ended);
    const failed = state.failed.length;
    // An attempt of a job that was stopped, or of a batch that was complete, has launched nothing.
    const hasLaunched = traces.seen || (await lastAttempt(storage, jobId, batch)) >= attempt;
    await writeSettled(storage, jobId, {
      batch,
      attempt,
      runs: hasLaunched ? attempt : attempt - 1,
      done: state.done.length,
      failed,
      state: standing,
      message,
      observation,
      seenEnded,
      phases: [...before.phases.filter((each) => each.attempt !== attempt), ...(traces.seen ? [traces.phases] : [])],
      unscored: standing === 'done' ? unscoredOf(state) : [],
    });
    if (hasLaunched) tellAttempt(telemetry, job, input, traces, { state, ended, watchEnd }, invocation);
    if (standing === 'retrying') await noteWaiting(storage, input, message);
    if (failed > 0) await stopIfTooMuchIsLost(storage, job, message);
    return { failed, missing: state.missing.length, ended };
  };
  return (input: SettleInput, invocation?: Invocation) =>
    orNoteWaiting(storage, input, () => settle(input, invocation));
}

/** The last line of an attempt's log, where its container did not end well by itself. */
const howItEnded = (time: string, { reason }: Observation): Printed[] =>
  reason === undefined
    ? []
    : [{ text: `The container has ended: ${reason}.`, stream: 'platform', level: 'error', time }];

const isAlive = ({ state }: Observation) => state === 'running' || state === 'provisioning';

/** A batch that is complete names the first of its items that could not be scored. */
function withFailedItem(ended: AttemptEnd, item: { name: string; reason: string } | undefined): AttemptEnd {
  return ended.end === 'complete' && item ? { ...ended, message: hideSecrets(`${item.name}: ${item.reason}`) } : ended;
}
