import './app-in-process.js';
import type { EngineInProcess } from './engine-in-process.js';
import { until } from './until.js';

const df = await import('durable-functions');

/** How often each activity ran, by its input. */
export const runs = new Map<string, number>();

df.app.activity('work', {
  handler: (input: { key: string }) => {
    runs.set(input.key, (runs.get(input.key) ?? 0) + 1);
    return input.key;
  },
});
df.app.orchestration('child', function* (context) {
  const { key } = context.df.getInput<{ key: string }>();
  yield context.df.createTimer(context.df.currentUtcDateTime);
  return yield context.df.callActivity('work', { key });
});
/** Everything an engine can be doing when it dies: activities, children with and without ids, timers, events, executions. */
df.app.orchestration('everything', function* (context) {
  const { instanceId } = context.df;
  const { seen } = context.df.getInput<{ seen: string[] }>();
  const round = `${instanceId}-${seen.length}`;
  const results: unknown[] = yield context.df.Task.all([
    context.df.callActivity('work', { key: `${round}-a` }),
    context.df.callSubOrchestrator('child', { key: `${round}-b` }),
    context.df.callSubOrchestrator('child', { key: `${round}-c` }, `${round}-child`),
  ]);
  const all = [...seen, ...results.map(String)];
  if (seen.length === 0) return context.df.continueAsNew({ seen: all });
  const event: unknown = yield context.df.waitForExternalEvent('go');
  return [...all, event];
});

/** What it gives. */
export function expected(id: string): unknown[] {
  return [`${id}-0-a`, `${id}-0-b`, `${id}-0-c`, `${id}-3-a`, `${id}-3-b`, `${id}-3-c`, 'event'];
}

/** Sends the event when the second execution has begun: one that comes earlier is lost to ContinueAsNew, as in Azure. */
export async function raiseEvent(engine: EngineInProcess, id: string): Promise<void> {
  await until(async () => ((await engine.status(id)).input as { seen: string[] }).seen.length > 0);
  await engine.raise(id, 'go', 'event');
}
