import type { OrchestrationContext, Task } from 'durable-functions';
import type { Backend } from '../../src/backend/backend.js';
import { EngineInProcess } from './engine-in-process.js';
import { runs } from './everything.js';
import { dyingBefore, losingAnswer, refusing } from './faulty-backend.js';

const df = await import('durable-functions');

/** What an orchestrator does: one step after the other. */
type Step =
  | { kind: 'call'; key: string }
  | { kind: 'fail'; key: string }
  | { kind: 'retry'; key: string }
  | { kind: 'timer'; ms: number }
  | { kind: 'child'; steps: Step[]; id?: string }
  | { kind: 'all'; steps: Step[] }
  | { kind: 'any'; steps: Step[] };

/** The executions of an instance, each begun by continueAsNew; `seen` is what those before have given. */
export interface Program {
  executions: Step[][];
  seen: unknown[];
}

const triedOnce = new Set<string>();
df.app.activity('flakyOnce', {
  handler: ({ key }: { key: string }) => {
    if (triedOnce.has(key)) return key;
    triedOnce.add(key);
    throw new Error(`The first try of ${key} fails.`);
  },
});
df.app.activity('alwaysFails', {
  handler: ({ key }: { key: string }) => {
    throw new Error(`${key} fails.`);
  },
});

df.app.orchestration('steps of a child', function* (context) {
  return yield* perform(context, context.df.getInput<Step[]>());
});
df.app.orchestration('program', function* (context) {
  const { executions, seen } = context.df.getInput<Program>();
  const [steps = [], ...rest] = executions;
  const all = [...seen, ...(yield* perform(context, steps))];
  return rest.length > 0 ? context.df.continueAsNew({ executions: rest, seen: all }) : all;
});

function* perform(context: OrchestrationContext, steps: Step[]): Generator<Task, unknown[], unknown> {
  const results: unknown[] = [];
  for (const step of steps) {
    context.df.setCustomStatus({ done: results.length });
    try {
      const result = yield taskOf(context.df, step);
      results.push(step.kind === 'timer' ? 'woke' : step.kind === 'any' ? 'any' : withoutTimers(step, result));
    } catch {
      results.push('caught');
    }
  }
  return results;
}

function taskOf(durable: OrchestrationContext['df'], step: Step): Task {
  if (step.kind === 'call') return durable.callActivity('work', { key: step.key });
  if (step.kind === 'fail') return durable.callActivity('alwaysFails', { key: step.key });
  if (step.kind === 'retry')
    return durable.callActivityWithRetry('flakyOnce', new df.RetryOptions(1, 3), { key: step.key });
  if (step.kind === 'timer') return durable.createTimer(new Date(durable.currentUtcDateTime.getTime() + step.ms));
  if (step.kind === 'child') return durable.callSubOrchestrator('steps of a child', step.steps, step.id);
  const tasks = step.steps.map((each) => taskOf(durable, each));
  return step.kind === 'all' ? durable.Task.all(tasks) : durable.Task.any(tasks);
}

/** A timer's result in a Task.all is no value. */
function withoutTimers(step: Step, result: unknown): unknown {
  if (step.kind !== 'all' || !Array.isArray(result)) return result;
  return result.map((each: unknown, index) => {
    const child = step.steps[index];
    return child?.kind === 'timer' ? 'woke' : each;
  });
}

/** What a program gives, computed without any engine. */
export function resultOf({ executions, seen }: Program): unknown[] {
  return [...seen, ...executions.flatMap((steps) => steps.map(valueOf))];
}

function valueOf(step: Step): unknown {
  if (step.kind === 'call' || step.kind === 'retry') return step.key;
  if (step.kind === 'fail') return 'caught';
  if (step.kind === 'timer') return 'woke';
  if (step.kind === 'any') return 'any';
  if (step.kind === 'all' && step.steps.some(({ kind }) => kind === 'fail')) return 'caught';
  return step.steps.map(valueOf);
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A program of one or two executions; `id` keeps its keys apart from those of others. */
export function randomProgram(id: string, random: () => number): Program {
  let keys = 0;
  const upTo = (limit: number) => 1 + Math.floor(random() * limit);
  const steps = (depth: number, kinds: Step['kind'][]) => Array.from({ length: upTo(4) }, () => step(depth, kinds));
  const step = (depth: number, kinds: Step['kind'][]): Step => {
    const possible = depth > 0 ? kinds : kinds.filter((kind) => kind !== 'child' && kind !== 'all' && kind !== 'any');
    const kind = possible[Math.floor(random() * possible.length)] ?? 'call';
    const key = `${id}-${keys++}`;
    if (kind === 'timer') return { kind, ms: Math.floor(random() * 30) };
    // Retries beside others let task numbers drift apart, in Azure as here: they stand alone.
    if (kind === 'all' || kind === 'any') return { kind, steps: steps(depth - 1, ['call', 'fail', 'timer', 'child']) };
    if (kind === 'child') return { kind, steps: steps(depth - 1, ALL), ...(random() < 0.5 ? { id: key } : {}) };
    return { kind, key };
  };
  return { executions: Array.from({ length: upTo(2) }, () => steps(2, ALL)), seen: [] };
}

const ALL: Step['kind'][] = ['call', 'fail', 'retry', 'timer', 'child', 'all', 'any'];
const LIVES = 3;

/** Runs a program on hosts that die before one of their writes, or meet a storage that refuses or whose answer is lost. */
export async function runInterrupted(
  id: string,
  program: Program,
  { random, storage }: { random: () => number; storage: Backend },
): Promise<unknown> {
  let isStarted = false;
  const live = async (engine: EngineInProcess): Promise<unknown> => {
    await engine.recover();
    if (!isStarted) await engine.start('program', program, id);
    isStarted = true;
    return (await engine.ends(id)).output;
  };
  for (let life = 0; life < LIVES; life += 1) {
    const nth = 1 + Math.floor(random() * 15);
    const trouble = [refusing, losingAnswer][Math.floor(random() * 3)];
    const shaken = trouble?.(1 + Math.floor(random() * 8), storage).backend ?? storage;
    const { backend, fault } = dyingBefore(nth, shaken);
    const died = Symbol('died');
    const output = await Promise.race([live(new EngineInProcess(backend)), fault.then(() => died)]);
    if (output !== died) return output;
  }
  return await live(new EngineInProcess(storage));
}

/** How often the activities of a program ran, at most. */
export function mostRuns(id: string): number {
  return Math.max(0, ...[...runs].flatMap(([key, count]) => (key.startsWith(`${id}-`) ? [count] : [])));
}
export const LIVES_AT_MOST = LIVES + 1;
