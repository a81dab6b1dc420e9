import { createHash } from 'node:crypto';
import { counted } from '../../job/failure.js';
import type { PackedEvent, PackedRow, TimelineData } from './page/timeline.js';
import { flatten, summarizeTrace, toldOf, whysOf } from './summary.js';
import { CATEGORIES, type Category, type Trace, type TraceSpan } from './tree.js';

/** What the page runs and looks like: the compiled `page/timeline.ts`, and `page/timeline.css`. */
export interface PageParts {
  script: string;
  style: string;
}

/** Rows of a page; a job of 2,500 batches has about 40,000. */
const MOST_ROWS = 80_000;

const LEGEND: Record<Category, string> = {
  request: 'request',
  orchestration: 'orchestration',
  activity: 'activity',
  timer: 'timer',
  attempt: 'attempt',
  starting: 'container starts (queued, pulled, started)',
  loading: 'model loads',
  scoring: 'scores items',
  storing: 'stores the result',
  other: 'other',
};

/**
 * One HTML file with a timeline of the trace and the tables of its summary. It needs no network, and its policy lets the browser run and
 * load nothing but what is in it: about 100 bytes a span, and none of the shortest when there are more than 80,000.
 */
export function renderPage(trace: Trace, { script, style }: PageParts): string {
  const { job, traceId, state, startMs } = trace;
  const { rows, leftOut } = chooseRows(trace);
  const notes = [...trace.notes];
  if (leftOut > 0) notes.push(`The ${leftOut} shortest spans are left out of the timeline.`);
  const summary = summarizeTrace(trace);
  const title = `${job === undefined ? 'A job' : `Job ${job}`}: ${state}`;
  const policy = `default-src 'none'; script-src ${hashOf(script)}; style-src ${hashOf(style)}; base-uri 'none'; form-action 'none'`;
  const used = new Set(rows.map(({ category }) => category));
  const legend = CATEGORIES.filter((category) => used.has(category)).map((category) => [category, LEGEND[category]]);
  const attempts = toldOf(summary.attempts);
  const columns = summary.phases.map(({ name }) => name);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escape(title)}</h1>
<p>${escape(`${fixed(summary.seconds)} s from ${new Date(startMs).toISOString().replace('T', ' ').replace('Z', ' UTC')}; ${counted(summary.attempts.length, 'attempt')}`)}</p>
${trace.why === undefined ? '' : `<p>${escape(trace.why)}</p>`}
<p class="quiet">trace ${escape(traceId)}</p>
</header>
<main>
${notes.length > 0 ? `<ul class="notes">${notes.map((note) => `<li>${escape(note)}</li>`).join('')}</ul>` : ''}
<section aria-label="Timeline">
<div class="bar">
<div class="buttons" role="group" aria-label="Zoom and fold">
<button type="button" data-key="+" aria-label="Zoom in">+</button>
<button type="button" data-key="-" aria-label="Zoom out">−</button>
<button type="button" data-key="Enter">Zoom to row</button>
<button type="button" data-key="0">Whole job</button>
<button type="button" data-key="*">Open all</button>
<button type="button" data-key="/">Fold all</button>
</div>
<ul class="legend" aria-label="Colours">
${[...legend, ['failed', 'failed']].map(([key = '', text = '']) => `<li><span class="swatch ${key}"></span>${escape(text)}</li>`).join('\n')}
<li>◆ event</li>
</ul>
</div>
<div id="axis" aria-hidden="true"></div>
<div id="tree" role="tree" tabindex="0" aria-label="Spans of the job"><div id="float"><canvas id="bars" aria-hidden="true"></canvas></div><div id="space" role="presentation"></div></div>
<div id="tip" role="tooltip" hidden></div>
</section>
<section id="details" aria-label="Details of the chosen row" aria-live="polite"></section>
<noscript><p>The timeline needs JavaScript; the tables below do not.</p></noscript>
<details>
<summary>Keys and mouse</summary>
<p><kbd>↑</kbd> <kbd>↓</kbd> <kbd>Home</kbd> <kbd>End</kbd> choose a row, <kbd>→</kbd> <kbd>←</kbd> open and fold it, <kbd>*</kbd> <kbd>/</kbd> open and fold all; <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>Enter</kbd> zooms to the row, <kbd>0</kbd> shows the whole job, <kbd>Shift</kbd> with <kbd>←</kbd> <kbd>→</kbd> moves along.</p>
<p>Click a row for its details and ▸ to open it; drag the bars to move along, double-click one to zoom to it, <kbd>Ctrl</kbd> with the wheel to zoom. A folded row shows what is in it.</p>
</details>
<details open>
<summary>Where the time went</summary>
<div class="tables">
${table(
  'Steps of the job',
  ['step', 'runs', 'seconds', 'share'],
  summary.steps.map((one) => [one.name, one.count, fixed(one.seconds), percent(one.share)]),
)}
${table(
  'What took longest',
  ['longest', 'seconds', 'share'],
  summary.longest.map((one) => [one.label, fixed(one.seconds), percent(one.share)]),
)}
</div>
</details>
<details>
<summary>Activities and attempts</summary>
${table(
  'Activities, in seconds',
  ['activity', 'runs', 'failed', 'in all', 'longest', 'waited'],
  summary.activities.map((one) => [
    one.name,
    one.count,
    one.failed,
    fixed(one.seconds),
    fixed(one.longest),
    fixed(one.waited),
  ]),
)}
${table(
  attempts.length < summary.attempts.length
    ? `The ${attempts.length} of ${summary.attempts.length} attempts that failed or took longest, in seconds`
    : 'Attempts, in seconds',
  ['batch', 'attempt', 'from', 'in all', ...columns],
  attempts.map((one) => [
    one.batch,
    one.ok ? one.attempt : `${one.attempt} failed`,
    fixed(one.from),
    fixed(one.seconds),
    ...columns.map((name) => fixed(one.phases[name])),
  ]),
)}
${whysOf(summary.attempts)
  .map((why) => `<p>${escape(why)}</p>`)
  .join('\n')}
</details>
</main>
<script type="application/json" id="data">${dataOf(trace, rows)}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

const hashOf = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const fixed = (value: number | undefined) => (value === undefined ? '' : value.toFixed(1));
const percent = (share: number) => `${Math.round(share * 100)} %`;

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text: string) => text.replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);

function table(caption: string, head: string[], rows: (string | number)[][]): string {
  if (rows.length === 0) return '';
  const cells = ([first = '', ...more]: (string | number)[]) =>
    `<tr><th scope="row">${escape(String(first))}</th>${more.map((value) => `<td>${escape(String(value))}</td>`).join('')}</tr>`;
  return `<div class="scroll"><table>
<caption>${escape(caption)}</caption>
<thead><tr>${head.map((name) => `<th scope="col">${escape(name)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map(cells).join('\n')}
</tbody>
</table></div>`;
}

/** The spans of a page in the order of the rows. Of too many, the shortest that hold no longer one go. */
function chooseRows({ roots }: Trace): { rows: TraceSpan[]; leftOut: number } {
  const all = flatten(roots);
  if (all.length <= MOST_ROWS) return { rows: all, leftOut: 0 };
  // The length of the longest span that each holds, its own included: children come after those who hold them.
  const longest = new Map<TraceSpan, number>();
  for (const span of all.toReversed())
    longest.set(
      span,
      span.children.reduce((most, child) => Math.max(most, longest.get(child) ?? 0), span.endMs - span.startMs),
    );
  const least = [...longest.values()].toSorted((one, other) => other - one)[MOST_ROWS] ?? 0;
  const rows = all.filter((span) => (longest.get(span) ?? 0) > least);
  return { rows, leftOut: all.length - rows.length };
}

function dataOf({ startMs, endMs }: Trace, rows: TraceSpan[]): string {
  const texts = new Map<string, number>();
  const text = (value: string) => {
    const known = texts.get(value);
    if (known !== undefined) return known;
    texts.set(value, texts.size);
    return texts.size - 1;
  };
  const pairs = (dimensions: Record<string, string>) =>
    Object.entries(dimensions).flatMap(([key, value]) => [text(key), text(value)]);
  const places = new Map(rows.map((span, index) => [span, index]));
  const above = new Map(rows.flatMap((span) => span.children.map((child) => [child, places.get(span) ?? -1])));
  const packed = rows.map((span): PackedRow => [
    above.get(span) ?? -1,
    span.id,
    text(span.name),
    text(span.label),
    text(span.category),
    text(span.role),
    span.startMs - startMs,
    span.endMs - span.startMs,
    span.calledMs === undefined ? 0 : span.startMs - span.calledMs,
    (span.ok ? 0 : 1) + (span.unreported ? 2 : 0),
    pairs(span.dimensions),
  ]);
  const events = rows.flatMap((span, index) =>
    span.events.map(({ name, time, dimensions, measurements }): PackedEvent => [
      index,
      text(name),
      Date.parse(time) - startMs,
      pairs(dimensions),
      Object.entries(measurements).flatMap(([key, value]) => [text(key), value]),
    ]),
  );
  const data: TimelineData = {
    origin: startMs,
    length: endMs - startMs,
    texts: [...texts.keys()],
    rows: packed,
    events,
  };
  // In JSON, a tag can only be inside a string, and there this says the same.
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}
