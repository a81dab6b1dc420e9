import { describe, expect, it } from 'vitest';
import { WorkerFault } from '../../../src/app/invoker.js';
import { runTurn } from '../../../src/engine/turn.js';
import type { EventBody, ExecutionStarted, HistoryEvent } from '../../../src/protocol/history.js';

const start: ExecutionStarted = {
  EventType: 'ExecutionStarted',
  OrchestrationInstance: { InstanceId: 'job', ExecutionId: 'execution' },
  ParentInstance: null,
  ParentTraceContext: null,
  Name: 'scoreBatch',
  Version: '',
  Input: null,
  Generation: 0,
};
const scheduled = (body: EventBody): HistoryEvent => ({ ...body, EventId: 0, Timestamp: '2026-01-01T00:00:00.000Z' });

/** How a turn ends whose worker process is killed while the orchestrator runs. */
async function endOf(past: HistoryEvent[], strict: boolean): Promise<unknown> {
  const call = () => Promise.reject(new WorkerFault('node exited with code 137 (0x89)'));
  const isKnown = () => true;
  const { end } = await runTurn({ start, past, messages: [], call, isKnown, strict, warn: () => undefined });
  return end && 'Result' in end ? end.Result : end;
}

describe('a turn that is lost with its worker process', () => {
  const text = "Orchestrator function 'scoreBatch' failed: node exited with code 137 (0x89)";
  const launch = scheduled({ EventType: 'TaskScheduled', Name: 'launchBatch', Input: '[1]' });

  it('fails its orchestration with the reason', async () => {
    expect(await endOf([], false)).toBe(text);
    expect(await endOf([launch], false)).toBe(text);
  });

  it('fails it with Azure’s words when they are asked for', async () => {
    expect(await endOf([], true)).toBe(text);
    expect(await endOf([launch], true)).toBe(
      "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity task with sequence ID 0 and name 'launchBatch' (version ''), but the current replay execution hasn't (yet?) scheduled this task. Was a change made to the orchestrator code after this instance had already started running?",
    );
  });
});
