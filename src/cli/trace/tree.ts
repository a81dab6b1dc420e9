import { counted } from '../../job/failure.js';
import type { Span, TelemetryEvent, TelemetryRecord } from '../../telemetry/records.js';

/** What kinds of spans a timeline tells apart. */
export const CATEGORIES = [
  'request',
  'orchestration',
  'activity',
  'timer',
  'attempt',
  'starting',
  'loading',
  'scoring',
  'storing',
  'other',
] as const;
export type Category = (typeof CATEGORIES)[number];

/** A span in its place. Times are milliseconds since the epoch. */
export interface TraceSpan extends Pick<Span, 'id' | 'name' | 'role' | 'ok' | 'dimensions'> {
  /** Its name in short, with what tells it from its like. */
  label: string;
  category: Category;
  startMs: number;
  /** Never before the start. */
  endMs: number;
  /** When it was asked for; it waited until it started. */
  calledMs?: number;
  /** Nobody reported it: it is known by what hangs below it, and its times are theirs. */
  unreported?: true;
  /** In the order of their starts. */
  children: TraceSpan[];
  events: TelemetryEvent[];
}

export interface Trace {
  traceId: string;
  /** Absent when nothing names one. */
  job?: string;
  state: 'done' | 'failed' | 'cancelled' | 'not ended';
  /** Why it failed, if it did and somebody said so. */
  why?: string;
  roots: TraceSpan[];
  /** From the first to the last moment by the clocks of app and host: those of containers may differ. */
  startMs: number;
  endMs: number;
  /** What is missing or odd, a sentence each. */
  notes: string[];
}

/** Less is what clocks of one machine are rounded by, and what a message takes. */
const CLOCKS_DIFFER_MS = 100;
const UNREPORTED = '(not reported)';
const INSTANCE = 'durabletask.task.instance_id';

interface Node extends TraceSpan {
  parentId?: string | undefined;
  kind: Span['kind'];
}

/**
 * Puts the records of one trace together. An activity that is there as called and as run becomes one span, and an attempt goes beside the
 * activity that settled it, which reports it.
 * @param unreadable lines that are no records.
 * @param about the job, where a caller's trace holds several; by default the one that is named.
 * @returns undefined when there is no span.
 */
export function buildTrace(records: TelemetryRecord[], unreadable: number, about?: string): Trace | undefined {
  const notes: string[] = [];
  const events = new Map<string, TelemetryEvent>();
  const nodes = new Map<string, Node>();
  for (const record of records) {
    if (record.type === 'event') events.set(record.id, record);
    else nodes.set(record.id, nodeOf(record));
  }
  const traceId = records[0]?.traceId;
  if (traceId === undefined || nodes.size === 0) return undefined;
  const reported = [...nodes.values()];
  cutCircles(nodes, notes);
  const renamed = foldCalls(nodes);
  addUnreported(nodes, notes);
  for (const node of nodes.values()) {
    const above = node.name === 'attempt' ? nodes.get(node.parentId ?? '') : undefined;
    if (above?.category === 'activity' && above.parentId !== undefined) node.parentId = above.parentId;
  }
  const roots = hang(nodes);
  for (const event of events.values()) {
    const id = event.parentId ?? '';
    (nodes.get(renamed.get(id) ?? id) ?? roots[0])?.events.push(event);
  }
  const happened = [...events.values()];
  const job =
    about ?? [...happened, ...reported].find(({ dimensions }) => dimensions.job !== undefined)?.dimensions.job;
  for (const node of nodes.values()) node.label = labelOf(node, job);
  const state = stateOf(happened, reported, job);
  noteGaps({ state, happened, reported, unreadable, open: countOpen(nodes) }, notes);
  noteClocks(roots, notes);
  const own = reported.some(({ role }) => role !== 'scorer')
    ? reported.filter(({ role }) => role !== 'scorer')
    : reported;
  return {
    traceId,
    ...(job === undefined ? {} : { job }),
    state,
    ...(state === 'failed' ? { why: endOf(happened, job)?.dimensions.message } : {}),
    roots,
    startMs: own.reduce((least, { startMs, calledMs }) => Math.min(least, calledMs ?? startMs), Infinity),
    endMs: own.reduce((most, { endMs }) => Math.max(most, endMs), -Infinity),
    notes,
  };
}

function nodeOf({ id, parentId, name, role, kind, ok, dimensions, start, end }: Span): Node {
  const startMs = Date.parse(start);
  const endMs = Math.max(startMs, Date.parse(end));
  const category = categoryOf(name, role, kind);
  return {
    id,
    parentId,
    name,
    role,
    kind,
    ok,
    dimensions,
    label: name,
    category,
    startMs,
    endMs,
    children: [],
    events: [],
  };
}

const PHASE_CATEGORIES: Record<string, Category> = {
  attempt: 'attempt',
  queued: 'starting',
  pulled: 'starting',
  started: 'starting',
  modelLoaded: 'loading',
  firstItem: 'scoring',
  lastItem: 'scoring',
  stored: 'storing',
};

function categoryOf(name: string, role: Span['role'], kind: Span['kind']): Category {
  if (role === 'scorer') return PHASE_CATEGORIES[name] ?? 'other';
  if (name.startsWith('activity:')) return 'activity';
  if (name.endsWith(':timer')) return 'timer';
  if (/^(create_orchestration|orchestration|orchestration_event):/.test(name)) return 'orchestration';
  return kind === 'internal' ? 'other' : 'request';
}

/** Spans that hang below themselves, over others or not, become roots. */
function cutCircles(nodes: Map<string, Node>, notes: string[]): void {
  const safe = new Set<Node>();
  let circles = 0;
  for (const node of nodes.values()) {
    const path = new Set<Node>();
    for (let at: Node | undefined = node; at && !safe.has(at);) {
      path.add(at);
      const above: Node | undefined = nodes.get(at.parentId ?? '');
      if (above && path.has(above)) {
        at.parentId = undefined;
        circles += 1;
        break;
      }
      at = above;
    }
    for (const walked of path) safe.add(walked);
  }
  if (circles > 0) notes.push(`${counted(circles, 'span')} would hang below themselves and stand alone.`);
}

/**
 * Makes one span of a call and the run that answers it, when they have one name: the run, with the moment of the call.
 * @returns under which id each call that is gone is found now.
 */
function foldCalls(nodes: Map<string, Node>): Map<string, string> {
  const runs = new Map<string, Node[]>();
  for (const node of nodes.values()) {
    const call = nodes.get(node.parentId ?? '');
    if (call?.kind !== 'client' || call.name !== node.name || call.role !== node.role) continue;
    runs.set(call.id, [...(runs.get(call.id) ?? []), node]);
  }
  const renamed = new Map<string, string>();
  for (const [id, [run, ...more]] of runs) {
    const call = nodes.get(id);
    if (!call || !run || more.length > 0) continue;
    run.parentId = call.parentId;
    run.calledMs = Math.min(call.startMs, run.startMs);
    run.ok &&= call.ok;
    run.dimensions = { ...call.dimensions, ...run.dimensions };
    nodes.delete(id);
    renamed.set(id, run.id);
  }
  for (const node of nodes.values()) {
    const { parentId } = node;
    if (parentId !== undefined) node.parentId = renamed.get(parentId) ?? parentId;
  }
  return renamed;
}

/** Gives the spans whose parent nobody reported one that says so. */
function addUnreported(nodes: Map<string, Node>, notes: string[]): void {
  const missing = new Map<string, Node[]>();
  for (const node of nodes.values()) {
    const { parentId } = node;
    if (parentId === undefined || nodes.has(parentId)) continue;
    const siblings = missing.get(parentId) ?? [];
    siblings.push(node);
    missing.set(parentId, siblings);
  }
  const root = [...nodes.values()]
    .filter(({ parentId }) => parentId === undefined)
    .toSorted((one, other) => one.startMs - other.startMs)[0];
  // A request may come with the trace of a caller who reports elsewhere.
  if (!root && missing.size === 1) {
    for (const node of [...missing.values()].flat()) node.parentId = undefined;
    return;
  }
  const added: Node[] = [];
  const add = (id: string, children: Node[]) => {
    const node = unreportedAbove(id, children);
    added.push(node);
    nodes.set(id, node);
  };
  const isCall = ([, children]: [string, Node[]]) => children.every(({ name }) => name.startsWith('orchestration:'));
  for (const [id, children] of [...missing].filter((group) => !isCall(group))) add(id, children);
  // An orchestration that is ended before its calls have returned reports none of them.
  const callers = holdersIn(nodes);
  for (const [id, children] of [...missing].filter(isCall)) {
    const caller = children[0] && callerOf(children[0], callers);
    if (caller) for (const node of children) node.parentId = caller.id;
    else add(id, children);
  }
  const holders = holdersIn(nodes);
  for (const node of added) node.parentId = holderOf(node, holders)?.id ?? root?.id;
  if (added.length > 0)
    notes.push(
      `${counted(added.length, 'span')} that others hang below ${added.length === 1 ? 'was' : 'were'} never reported, as happens when a process is killed or a job is ended from outside; in ${added.length === 1 ? 'its' : 'their'} place stands "${UNREPORTED}".`,
    );
}

function unreportedAbove(id: string, children: Node[]): Node {
  // An activity names the orchestration that called it.
  const instance = children.find(({ category }) => category === 'activity')?.dimensions[INSTANCE];
  return {
    id,
    name: UNREPORTED,
    label: UNREPORTED,
    role: 'host',
    kind: 'internal',
    category: 'other',
    ok: true,
    dimensions: instance === undefined ? {} : { [INSTANCE]: instance },
    startMs: children.reduce((least, { startMs, calledMs }) => Math.min(least, calledMs ?? startMs), Infinity),
    endMs: children.reduce((most, { endMs }) => Math.max(most, endMs), -Infinity),
    unreported: true,
    children: [],
    events: [],
  };
}

/** Sorts what starts and ends together: by the instance, such as a lane, then by the id, which is the same each time. */
const likeness = ({ dimensions, id }: TraceSpan) => `${dimensions[INSTANCE] ?? ''} ${id}`;

interface Holders {
  orchestrations: Map<string, Node>;
  creations: Map<string, Node>;
}

/** Orchestrations and their creations by the instance's id. */
function holdersIn(nodes: Map<string, Node>): Holders {
  const holders: Holders = { orchestrations: new Map(), creations: new Map() };
  for (const node of nodes.values()) {
    const instance = node.dimensions[INSTANCE];
    if (instance === undefined) continue;
    if (node.name.startsWith('create_orchestration:')) holders.creations.set(instance, node);
    else if (node.unreported || (node.category === 'orchestration' && node.kind === 'server'))
      holders.orchestrations.set(instance, node);
  }
  return holders;
}

/** Where an orchestration without a span of its own belongs: the id of a sub-orchestration begins with that of the one above. */
function holderOf(node: Node, holders: Holders): Node | undefined {
  return callerOf(node, holders) ?? holders.creations.get(node.dimensions[INSTANCE] ?? '');
}

function callerOf({ dimensions }: Node, { orchestrations }: Holders): Node | undefined {
  const instance = dimensions[INSTANCE] ?? '';
  for (let cut = instance.lastIndexOf('-'); cut > 0; cut = instance.lastIndexOf('-', cut - 1)) {
    const above = orchestrations.get(instance.slice(0, cut));
    if (above) return above;
  }
  return undefined;
}

/** @returns the roots; every list in the order of the starts, but orchestrations of one name, such as lanes, in that of their ids. */
function hang(nodes: Map<string, Node>): Node[] {
  const roots: Node[] = [];
  const ordered = [...nodes.values()].toSorted(
    (one, other) =>
      (one.calledMs ?? one.startMs) - (other.calledMs ?? other.startMs) ||
      other.endMs - one.endMs ||
      (likeness(one) < likeness(other) ? -1 : 1),
  );
  for (const node of ordered) (nodes.get(node.parentId ?? '')?.children ?? roots).push(node);
  for (const { children } of ordered) {
    const orchestrations = children.filter(({ category }) => category === 'orchestration');
    for (const name of new Set(orchestrations.map((one) => one.name))) {
      const alike = orchestrations.filter((one) => one.name === name);
      const sorted = alike.toSorted((one, other) => (likeness(one) < likeness(other) ? -1 : 1)).values();
      for (const [index, child] of children.entries())
        if (child.name === name) children[index] = sorted.next().value ?? child;
    }
  }
  return roots;
}

function labelOf(node: TraceSpan, job: string | undefined): string {
  const { name, dimensions, unreported } = node;
  const instance = dimensions[INSTANCE] ?? '';
  // The part of an instance's id that sets it apart from others of the job; a batch has one number in all lanes.
  const part = job !== undefined && instance.startsWith(`${job}-`) ? instance.slice(job.length + 1) : '';
  const own = part.replace(/^(?:round-\d+-)?lane-\d+-(?=batch)/, '').replace(/^(lane|batch)-0*(?=\d)/, '$1 ');
  if (unreported) return `${instance === job ? 'scoreJob' : own || describeBatch(node)} ${UNREPORTED}`.trim();
  if (name === 'attempt' && dimensions.batch !== undefined)
    return `attempt ${dimensions.attempt} of batch ${dimensions.batch}`;
  if (name.endsWith(':timer')) return 'timer';
  if (name.startsWith('create_orchestration:')) return name.replace('create_orchestration:', 'create ');
  if (name.startsWith('activity:')) return name.slice('activity:'.length);
  if (!name.startsWith('orchestration:')) return name;
  return `${name.slice('orchestration:'.length)} ${own.replace(/^(lane|batch) /, '')}`.trim();
}

/** The batch that everything below a span is about, if it is one; and the attempt, of what only a container has reported. */
function describeBatch(node: TraceSpan): string {
  const about = new Map<string, string | undefined>();
  const look = ({ dimensions: { batch, attempt }, children }: TraceSpan) => {
    if (batch !== undefined) about.set(batch, attempt);
    for (const child of children) look(child);
  };
  look(node);
  const [only, ...more] = about;
  if (only === undefined || more.length > 0) return '';
  const [batch, attempt] = only;
  return `batch ${batch}${node.children.every(isPhase) ? `, attempt ${attempt}` : ''}`;
}

const isPhase = ({ role, category }: TraceSpan) => role === 'scorer' && category !== 'attempt';

const endOf = (events: TelemetryEvent[], job: string | undefined) =>
  events.find(({ name, dimensions }) => name === 'job.ended' && dimensions.job === job);

function stateOf(events: TelemetryEvent[], spans: Node[], job: string | undefined): Trace['state'] {
  const outcome = endOf(events, job)?.dimensions.outcome;
  if (outcome === 'done' || outcome === 'failed' || outcome === 'cancelled') return outcome;
  if (events.some(({ name, dimensions }) => name === 'job.cancelled' && dimensions.job === job)) return 'cancelled';
  const whole = spans.find((span) => isOrchestrationOf(span, job) && span.kind !== 'client');
  return whole === undefined ? 'not ended' : whole.ok ? 'done' : 'failed';
}

/** Whether a span is a job's orchestration; of an unknown job's, whether it is that of any. */
export const isOrchestrationOf = ({ name, dimensions }: TraceSpan, job: string | undefined) =>
  name === 'orchestration:scoreJob' && (job === undefined || dimensions[INSTANCE] === job);

interface Reported {
  state: Trace['state'];
  happened: TelemetryEvent[];
  reported: Node[];
  unreadable: number;
  /** Batches with a container whose end was not reported. */
  open: number;
}

function noteGaps({ state, happened, reported, unreadable, open }: Reported, notes: string[]): void {
  if (!reported.some(({ role }) => role === 'host'))
    notes.push('The Functions host reported nothing of this job, so there are only containers to see.');
  if (happened.length === 0 && reported.every(({ role }) => role === 'host'))
    notes.push('The app reported nothing of this job, so attempts and their phases are missing.');
  if (state === 'not ended') notes.push('The end of the job was not reported; what had not ended by now is missing.');
  if (open > 0)
    notes.push(`${counted(open, 'batch')} launched a container whose end was not reported, so the attempt is missing.`);
  if (unreadable > 0)
    notes.push(
      `${counted(unreadable, 'line')} of the files could not be read; a process that is killed while it writes leaves such a line.`,
    );
}

/** A batch whose last step is a launch has neither settled its container nor been given up. */
function countOpen(nodes: Map<string, Node>): number {
  let open = 0;
  for (const { children } of nodes.values()) {
    const step = children.findLast(({ name }) => /^activity:(launch|settle|giveUp)Batch$/.test(name));
    if (step?.name === 'activity:launchBatch') open += 1;
  }
  return open;
}

/**
 * Containers run on machines of their own: one that began before its batch, or ended after it, shows how far their clocks are off. Of what
 * one machine reports, some goes on when what holds it is ended from outside.
 */
function noteClocks(roots: TraceSpan[], notes: string[]): void {
  let spans = 0;
  let most = 0;
  const look = (node: TraceSpan) => {
    for (const child of node.children) {
      const late = node.category === 'orchestration' ? child.endMs - node.endMs : 0;
      const off = Math.max((node.calledMs ?? node.startMs) - child.startMs, late);
      if (off > CLOCKS_DIFFER_MS && child.role === 'scorer' && node.role !== 'scorer' && !node.unreported) {
        spans += 1;
        most = Math.max(most, off);
      }
      look(child);
    }
  };
  for (const root of roots) look(root);
  if (spans > 0)
    notes.push(
      `The clocks differ by at least ${(most / 1000).toFixed(1)} s: so long before or after the span that holds ${spans === 1 ? 'it, one span begins or ends' : `them, ${spans} spans begin or end`}.`,
    );
}
