import Table from 'cli-table3';
import { PHASES } from '../../job/attempts/phases.js';
import { unbroken } from '../../job/failure.js';
import { isOrchestrationOf, type Trace, type TraceSpan } from './tree.js';

/** Where the time of a job went. Seconds; shares are parts of one. */
export interface TraceSummary {
  seconds: number;
  /** What the job did one after another; how many of each ran, and for how long at least one of them did. */
  steps: { name: string; count: number; seconds: number; share: number }[];
  activities: ActivitySums[];
  /** In the order of batches and attempts. */
  attempts: AttemptRow[];
  /** Over all attempts; shares are of the attempts' time. */
  phases: { name: string; seconds: number; mean: number; longest: number; share: number }[];
  longest: { label: string; seconds: number; share: number }[];
}

interface ActivitySums {
  name: string;
  count: number;
  failed: number;
  seconds: number;
  longest: number;
  /** From the calls to the runs. */
  waited: number;
}

interface AttemptRow {
  batch: string;
  attempt: string;
  /** Since the start of the trace. */
  from: number;
  seconds: number;
  phases: Record<string, number>;
  ok: boolean;
  /** Why it failed, if somebody said so. */
  why?: string;
}

const LONGEST = 5;

export function summarizeTrace(trace: Trace): TraceSummary {
  const spans = flatten(trace.roots);
  const seconds = (trace.endMs - trace.startMs) / 1000;
  const attempts = spans.filter(({ category }) => category === 'attempt');
  const share = (part: number) => (seconds > 0 ? part / seconds : 0);
  return {
    seconds,
    steps: stepsOf(trace, spans).map((step) => ({ ...step, share: share(step.seconds) })),
    activities: sumActivities(spans),
    attempts: attempts
      .map((span) => attemptRow(span, trace.startMs))
      .toSorted((one, other) => Number(one.batch) - Number(other.batch) || Number(one.attempt) - Number(other.attempt)),
    phases: sumPhasesOf(attempts),
    longest: spans
      .flatMap((span) => [
        ...(span.category === 'activity' ? [{ label: span.label, seconds: lengthOf(span) }] : []),
        ...(span.category === 'attempt'
          ? span.children.map((phase) => ({ label: `${phase.label} of ${span.label}`, seconds: lengthOf(phase) }))
          : []),
      ])
      .toSorted((one, other) => other.seconds - one.seconds)
      .slice(0, LONGEST)
      .map((one) => ({ ...one, share: share(one.seconds) })),
  };
}

/** Spans in the order of a tree's rows. */
export function flatten(roots: TraceSpan[]): TraceSpan[] {
  const spans: TraceSpan[] = [];
  const open = roots.toReversed();
  for (let span = open.pop(); span; span = open.pop()) {
    spans.push(span);
    for (const child of span.children.toReversed()) open.push(child);
  }
  return spans;
}

const lengthOf = ({ startMs, endMs }: TraceSpan) => (endMs - startMs) / 1000;
const calledMs = (span: TraceSpan) => span.calledMs ?? span.startMs;

/** The children of the job's orchestration by name, what came before them, and what was between them or after. */
function stepsOf(
  { job: id, roots, startMs, endMs }: Trace,
  spans: TraceSpan[],
): { name: string; count: number; seconds: number }[] {
  const job =
    spans.find((span) => isOrchestrationOf(span, id)) ?? spans.find(({ unreported }) => unreported) ?? roots[0];
  const groups = new Map<string, TraceSpan[]>();
  for (const span of job?.children ?? []) {
    if (span.category === 'timer') continue;
    const name = span.unreported ? 'not reported' : (span.label.split(' ')[0] ?? span.label);
    groups.set(name, [...(groups.get(name) ?? []), span]);
  }
  const all = [...groups.values()].flat();
  if (all.length === 0) return [];
  const within = (parts: TraceSpan[]) =>
    unionMs(parts.map((span) => [Math.max(startMs, calledMs(span)), Math.min(endMs, span.endMs)])) / 1000;
  const before = (Math.min(...all.map(calledMs)) - startMs) / 1000;
  const steps = [...groups].map(([name, parts]) => ({ name, count: parts.length, seconds: within(parts) }));
  const rest = (endMs - startMs) / 1000 - before - within(all);
  return [
    ...(before > 0 ? [{ name: 'before the first step', count: 1, seconds: before }] : []),
    ...steps,
    ...(rest >= 0.05 ? [{ name: 'between steps', count: 1, seconds: rest }] : []),
  ];
}

/** Milliseconds in which at least one of the stretches runs. */
function unionMs(stretches: [from: number, to: number][]): number {
  let total = 0;
  let covered = -Infinity;
  for (const [from, to] of stretches.toSorted((one, other) => one[0] - other[0])) {
    total += Math.max(0, to - Math.max(from, covered));
    covered = Math.max(covered, to);
  }
  return total;
}

function sumActivities(spans: TraceSpan[]): ActivitySums[] {
  const sums = new Map<string, ActivitySums>();
  for (const span of spans) {
    if (span.category !== 'activity') continue;
    const sum = sums.get(span.label) ?? { name: span.label, count: 0, failed: 0, seconds: 0, longest: 0, waited: 0 };
    sum.count += 1;
    sum.failed += span.ok ? 0 : 1;
    sum.seconds += lengthOf(span);
    sum.longest = Math.max(sum.longest, lengthOf(span));
    sum.waited += (span.startMs - calledMs(span)) / 1000;
    sums.set(span.label, sum);
  }
  return [...sums.values()].toSorted((one, other) => other.seconds - one.seconds);
}

const attemptRow = (span: TraceSpan, startMs: number): AttemptRow => ({
  batch: span.dimensions.batch ?? '?',
  attempt: span.dimensions.attempt ?? '?',
  from: (span.startMs - startMs) / 1000,
  seconds: lengthOf(span),
  phases: Object.fromEntries(span.children.map((phase) => [phase.name, lengthOf(phase)])),
  ok: span.ok,
  ...(span.ok ? {} : { why: span.events.find(({ name }) => name === 'attempt.ended')?.dimensions.message }),
});

function sumPhasesOf(attempts: TraceSpan[]): TraceSummary['phases'] {
  const seconds = new Map<string, number[]>(PHASES.map((name) => [name, []]));
  for (const phase of attempts.flatMap(({ children }) => children)) {
    const values = seconds.get(phase.name) ?? [];
    values.push(lengthOf(phase));
    seconds.set(phase.name, values);
  }
  const all = [...seconds.values()].flat().reduce((sum, value) => sum + value, 0);
  return [...seconds].flatMap(([name, values]) => {
    const sum = values.reduce((total, value) => total + value, 0);
    const longest = values.reduce((most, value) => Math.max(most, value), 0);
    if (values.length === 0) return [];
    return [{ name, seconds: sum, mean: sum / values.length, longest, share: all > 0 ? sum / all : 0 }];
  });
}

/** More attempts than this are told by those that failed and those that took longest. */
const MOST_ATTEMPTS = 24;
const TOLD_ATTEMPTS = 20;

/** What the command line prints of a trace. */
export function renderTrace(trace: Trace): string {
  const { job, traceId, state, why, notes } = trace;
  const { seconds, steps, activities, attempts, phases, longest } = summarizeTrace(trace);
  const title = `${job === undefined ? 'A job' : `Job ${job}`}: ${state} ${state === 'not ended' ? 'after' : 'in'} ${seconds.toFixed(1)} s (trace ${traceId})${why === undefined ? '' : `\n${why}`}`;
  const told = toldOf(attempts);
  const columns = phases.map(({ name }) => name);
  const parts = [
    table(
      ['step', 'runs', 'seconds', 'share'],
      steps.map((step) => [step.name, step.count, fixed(step.seconds), percent(step.share)]),
    ),
    table(
      ['activity', 'runs', 'failed', 'seconds', 'mean', 'longest', 'waited'],
      activities.map((one) => [
        one.name,
        one.count,
        one.failed === 0 ? '' : one.failed,
        fixed(one.seconds),
        fixed(one.seconds / one.count),
        fixed(one.longest),
        fixed(one.waited),
      ]),
    ),
    table(
      ['batch', 'attempt', 'from', 'seconds', ...columns.map((name) => PHASE_HEADS[name] ?? name)],
      [
        ...told.map((one) => [
          one.batch,
          one.ok ? one.attempt : `${one.attempt} failed`,
          fixed(one.from),
          fixed(one.seconds),
          ...columns.map((name) => fixed(one.phases[name])),
        ]),
        ...(attempts.length > 1
          ? [
              [
                'all',
                '',
                '',
                fixed(sum(attempts.map((one) => one.seconds))),
                ...phases.map((one) => fixed(one.seconds)),
              ],
              ['share', '', '', '', ...phases.map((one) => percent(one.share))],
            ]
          : []),
      ],
    ),
    ...whysOf(attempts),
    attempts.length > told.length
      ? `${attempts.length - told.length} more attempts took ${fixed(sum(attempts.map((one) => one.seconds)) / attempts.length)} s each on average; these are those that failed or took longest.`
      : '',
    table(
      ['longest', 'seconds', 'share'],
      longest.map((one) => [one.label, fixed(one.seconds), percent(one.share)]),
    ),
    ...notes,
  ];
  return printable([title, ...parts.filter((part) => part !== '')].join('\n'));
}

/** Heads that leave eighty columns enough for the numbers. */
const PHASE_HEADS: Record<string, string> = { modelLoaded: 'model', firstItem: 'first', lastItem: 'items' };

/** All attempts, or, of too many, those that failed or took longest. */
export function toldOf(attempts: AttemptRow[]): AttemptRow[] {
  if (attempts.length <= MOST_ATTEMPTS) return attempts;
  const told = new Set(
    attempts
      .toSorted((one, other) => Number(one.ok) - Number(other.ok) || other.seconds - one.seconds)
      .slice(0, TOLD_ATTEMPTS),
  );
  return attempts.filter((one) => told.has(one));
}

const MOST_WHYS = 5;

/** Why attempts failed; of many, the first few. */
export function whysOf(attempts: AttemptRow[]): string[] {
  const failed = attempts.filter(({ why }) => why !== undefined);
  const told = failed
    .slice(0, MOST_WHYS)
    .map(({ batch, attempt, why }) => unbroken(`Batch ${batch}, attempt ${attempt}: ${why}`));
  return failed.length > MOST_WHYS ? [...told, `and ${failed.length - MOST_WHYS} more that failed`] : told;
}

function table(head: string[], rows: (string | number)[][]): string {
  if (rows.length === 0) return '';
  const made = new Table({
    head,
    colAligns: head.map((_, index) => (index === 0 && head[0] !== 'batch' ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  made.push(...rows);
  return made.toString();
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const fixed = (value: number | undefined) => (value === undefined ? '' : value.toFixed(1));
const percent = (share: number) => `${Math.round(share * 100)} %`;

/** Names are the user's: what would steer the terminal becomes a question mark. */
const printable = (text: string) => text.replaceAll(/[^\P{Cc}\n]|[\u202A-\u202E\u2066-\u2069]/gu, '?');
