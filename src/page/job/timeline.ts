import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { BatchRow, JobStatus } from '../../api/jobs.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { hrefOf } from '../route.js';
import { counted, duration } from '../words.js';
import { createTimeAxis, type Span, type TimeAxis } from './time-axis.js';

type Attempt = BatchRow['attempts'][number];

/** What an attempt does, one after another; each begins where the one before has ended. */
const PHASES = [
  { until: 'placedAt', kind: 'place', does: 'waits for a place' },
  { until: 'pulledAt', kind: 'image', does: 'gets its image' },
  { until: 'startedAt', kind: 'start', does: 'starts' },
  { until: 'modelLoadedAt', kind: 'model', does: 'loads the model' },
  { until: 'firstItemAt', kind: 'first', does: 'scores its first item' },
  { until: 'lastItemAt', kind: 'score', does: 'scores' },
  { until: 'endedAt', kind: 'store', does: 'stores its result' },
] as const;

export interface Bar {
  kind: (typeof PHASES)[number]['kind'];
  does: string;
  from: number;
  to: number;
}

/** The phases of an attempt as far as they are known; the last one of an attempt that runs lasts until now. */
export function barsOf(attempt: Attempt, now: number): Bar[] {
  const bars: Bar[] = [];
  let from = attempt.launchedAt ?? attempt.startedAt;
  if (from === null) return bars;
  const isRunning = attempt.endedAt === null;
  for (const { until, kind, does } of PHASES) {
    const to = attempt[until];
    if (to === null || (isRunning && until === 'lastItemAt')) continue;
    if (to > from) bars.push({ kind, does, from, to });
    from = Math.max(from, to);
  }
  if (isRunning && now > from) bars.push({ ...doingNow(attempt), from, to: now });
  return bars;
}

function doingNow({ startedAt, modelLoadedAt, firstItemAt }: Attempt): Pick<Bar, 'kind' | 'does'> {
  if (startedAt === null) return { kind: 'start', does: 'starts' };
  if (modelLoadedAt === null) return { kind: 'model', does: 'loads the model' };
  return firstItemAt === null ? { kind: 'first', does: 'scores its first item' } : { kind: 'score', does: 'scores' };
}

const hasFailed = ({ state, attempts }: BatchRow) => state === 'failed' || attempts.some(({ end }) => end === 'failed');
const RANK: Record<BatchRow['state'], number> = { failed: 0, running: 2, pending: 4, done: 3 };
const rankOf = (row: BatchRow) => (row.state !== 'failed' && hasFailed(row) ? 1 : RANK[row.state]);

/** Failed ones first, then what runs, what is done and what is to come. */
export const inOrder = (rows: BatchRow[]): BatchRow[] =>
  rows.toSorted((one, other) => rankOf(one) - rankOf(other) || one.batch - other.batch);

const FILTERS = {
  all: { name: 'All', isIn: () => true },
  failed: { name: 'With failures', isIn: hasFailed },
  running: { name: 'Running', isIn: ({ state }: BatchRow) => state === 'running' },
  waiting: { name: 'Waiting', isIn: ({ waiting }: BatchRow) => waiting !== null },
  pending: { name: 'To come', isIn: ({ state }: BatchRow) => state === 'pending' },
  done: { name: 'Done', isIn: ({ state }: BatchRow) => state === 'done' },
} as const;
type Filter = keyof typeof FILTERS;

export const batchName = (batch: number) => `batch ${String(batch).padStart(4, '0')}`;

const ROW_PIXELS = 34;
const MOST_PIXELS = 420;
/** Rows above and below those that are seen. */
const AROUND = 6;

/** The batches and what their containers did when; only the rows that are seen are there, however many the job has. */
export function Timeline({
  app,
  job,
  rows,
  chosen,
}: {
  app: App;
  job: JobStatus;
  rows: BatchRow[];
  chosen: number | undefined;
}): Markup {
  const filter = useSignal<Filter>('all');
  const shown = useMemo(() => inOrder(rows.filter(FILTERS[filter.value].isIn)), [rows, filter.value]);
  const isRunning = job.state === 'running';
  const now = isRunning ? app.now.value : latestOf(rows);
  const axis = useMemo(() => createTimeAxis(spansOf(rows, now)), [rows, now]);
  if (rows.length === 0) return null;
  return html`<section class="card timeline" aria-labelledby="batches">
    <h2 id="batches">Batches and their containers</h2>
    <div class="row filters" role="group" aria-label="Which batches">
      ${(Object.keys(FILTERS) as Filter[]).map((each) => {
        const count = rows.filter(FILTERS[each].isIn).length;
        return (
          (count > 0 || each === filter.value) &&
          html`<button
            type="button"
            key=${each}
            class="quiet"
            aria-pressed=${filter.value === each}
            onClick=${() => {
              filter.value = each;
            }}
          >
            ${FILTERS[each].name} <span class="count">${count.toLocaleString('en')}</span>
          </button>`
        );
      })}
    </div>
    ${rows.length > 1 && html`<${Overview} rows=${rows} />`}
    <${Legend} />
    <div class="rows" role="table" aria-label="Batches, failed ones first" aria-rowcount=${shown.length + 1}>
      <div role="rowgroup">
        <div class="line head" role="row" aria-rowindex="1">
          <span role="columnheader">Batch</span>
          <span role="columnheader">Items</span>
          <span role="columnheader" class="chart">
            <span class="unseen">Containers</span>
            <${Scale} axis=${axis} />
          </span>
        </div>
      </div>
      <${Rows} id=${job.id} rows=${shown} axis=${axis} now=${now} chosen=${chosen} />
    </div>
  </section>`;
}

/** The rows that are seen, and some around them. */
function Rows({
  id,
  rows,
  axis,
  now,
  chosen,
}: {
  id: string;
  rows: BatchRow[];
  axis: TimeAxis;
  now: number;
  chosen: number | undefined;
}): Markup {
  const scrolled = useSignal(0);
  const height = Math.min(MOST_PIXELS, Math.max(1, rows.length) * ROW_PIXELS);
  const first = Math.max(0, Math.floor(scrolled.value / ROW_PIXELS) - AROUND);
  const last = Math.min(rows.length, Math.ceil((scrolled.value + height) / ROW_PIXELS) + AROUND);
  return html`<div
    role="rowgroup"
    class="scroll"
    tabindex="0"
    aria-label="Rows of batches; scroll for more"
    style=${{ height: `${height}px` }}
    onScroll=${(event: Event) => {
      scrolled.value = (event.currentTarget as HTMLElement).scrollTop;
    }}
  >
    <div class="all" role="presentation" style=${{ height: `${rows.length * ROW_PIXELS}px` }}>
      ${rows
        .slice(first, last)
        .map(
          (row, k) =>
            html`<${Line}
              key=${row.batch}
              id=${id}
              row=${row}
              index=${first + k}
              axis=${axis}
              now=${now}
              isChosen=${row.batch === chosen}
            />`,
        )}
    </div>
  </div>`;
}

const spansOf = (rows: BatchRow[], now: number): Span[] =>
  rows.flatMap(({ attempts }) =>
    attempts.flatMap(({ launchedAt, startedAt, endedAt }): Span[] => {
      const from = launchedAt ?? startedAt;
      return from === null ? [] : [{ from, to: Math.max(from, endedAt ?? now) }];
    }),
  );

const latestOf = (rows: BatchRow[]): number =>
  rows.reduce((last, { attempts }) => Math.max(last, ...attempts.map(({ endedAt }) => endedAt ?? 0)), 0);

interface LineProps {
  id: string;
  row: BatchRow;
  index: number;
  axis: TimeAxis;
  now: number;
  isChosen: boolean;
}

function Line({ id, row, index, axis, now, isChosen }: LineProps): Markup {
  const { batch, done, count, failed, state, waiting, attempts } = row;
  return html`<div
    class="line ${state} ${isChosen ? 'chosen' : ''}"
    role="row"
    aria-rowindex=${index + 2}
    style=${{ top: `${index * ROW_PIXELS}px` }}
  >
    <span role="rowheader"><a href=${hrefOf({ view: 'job', id, batch })}>${batchName(batch)}</a></span>
    <span role="cell" class="numbers">
      ${done}/${count}${failed > 0 && html`<span class="wrong"> ${failed} failed</span>`}
    </span>
    <span role="cell" class="chart">
      <svg width="100%" height="26" role="img" aria-label=${rowInWords(row, now)}>
        ${axis.breaks.map(
          ({ at, width }) =>
            html`<rect key=${at} class="break" x=${percent(at)} width=${percent(width)} y="0" height="26" />`,
        )}
        ${attempts.map(
          (attempt) =>
            html`<${AttemptBar} key=${attempt.attempt} batch=${batch} attempt=${attempt} axis=${axis} now=${now} />`,
        )}
      </svg>
      ${waiting !== null && html`<span class="why" title=${waiting}>waits: ${waiting}</span>`}
    </span>
  </div>`;
}

const percent = (share: number) => `${(share * 100).toFixed(3)}%`;

function AttemptBar({
  batch,
  attempt,
  axis,
  now,
}: {
  batch: number;
  attempt: Attempt;
  axis: TimeAxis;
  now: number;
}): Markup {
  const bars = barsOf(attempt, now);
  const [first, last] = [bars[0], bars.at(-1)];
  if (!first || !last) return null;
  const [from, to] = [axis.at(first.from), axis.at(last.to)];
  return html`<g class="attempt ${attempt.end ?? 'open'}">
    <title>${attemptInWords(batch, attempt, now)}</title>
    ${bars.map(
      ({ kind, from: start, to: end }) =>
        html`<rect
          key=${kind}
          class=${kind}
          x=${percent(axis.at(start))}
          width=${percent(Math.max(0.001, axis.at(end) - axis.at(start)))}
          y="3"
          height="20"
        />`,
    )}
    ${
      attempt.end === 'failed' &&
      html`<rect class="failed" x=${percent(from)} width=${percent(Math.max(0.004, to - from))} y="3" height="20" />`
    }
    <svg x=${percent(from)} width=${percent(Math.max(0, to - from))} height="26" aria-hidden="true">
      <text x="5" y="17">${to - from > 0.09 ? `${batchName(batch)} · attempt ${attempt.attempt}` : ''}</text>
    </svg>
  </g>`;
}

/** `Attempt 2 of batch 0007 on aci in westeurope: starts 12 s, loads the model 3 s, scores 60 s; failed: evicted.` */
export function attemptInWords(batch: number, attempt: Attempt, now: number): string {
  const { attempt: number, place, helps, end, message } = attempt;
  const bars = barsOf(attempt, now);
  const long = bars.filter(({ from, to }) => to - from >= 500);
  const did = (long.length > 0 ? long : bars).map(({ does, from, to }) => `${does} ${duration((to - from) / 1000)}`);
  const where = place === null || place === '' ? '' : ` on ${place}`;
  const why = helps === null ? '' : `, which helps attempt ${helps}`;
  const how = end === null ? '' : end === 'complete' ? '; done' : `; ${end}${message === '' ? '' : `: ${message}`}`;
  return `Attempt ${number} of ${batchName(batch)}${where}${why}: ${did.join(', ') || 'no time is known'}${how}.`;
}

function rowInWords(row: BatchRow, now: number): string {
  const { batch, attempts, state, waiting } = row;
  if (attempts.length === 0)
    return `${batchName(batch)}: ${waiting === null ? (state === 'done' ? 'done before' : 'no container yet') : `waits: ${waiting}`}.`;
  return attempts.map((attempt) => attemptInWords(batch, attempt, now)).join(' ');
}

function Scale({ axis }: { axis: TimeAxis }): Markup {
  return html`<svg width="100%" height="18" aria-hidden="true">
    ${axis.ticks.map(
      ({ at, label }) =>
        html`<g key=${label}>
          <rect class="tick" x=${percent(at)} width="1" y="12" height="6" />
          <svg x=${percent(at)} width="30%" height="18"><text x="3" y="12">${label}</text></svg>
        </g>`,
    )}
    ${axis.breaks.map(
      ({ at, width, from, to }) =>
        html`<g key=${at}>
          <title>Nothing happened for ${duration((to - from) / 1000)}</title>
          <rect class="break" x=${percent(at)} width=${percent(width)} y="0" height="18" />
        </g>`,
    )}
  </svg>`;
}

const LEGEND: [kind: string, name: string][] = [
  ['start', 'starts'],
  ['model', 'loads the model'],
  ['score', 'scores'],
  ['store', 'stores'],
  ['failed', 'failed'],
  ['break', 'nothing happened'],
];

const Legend = (): Markup =>
  html`<ul class="legend" aria-label="Colours">
    ${LEGEND.map(
      ([kind, name]) =>
        html`<li key=${kind}>
          <svg width="14" height="14" aria-hidden="true"><rect class=${kind} width="14" height="14" rx="3" /></svg>
          ${name}
        </li>`,
    )}
  </ul>`;

const MOST_CELLS = 180;

/** All batches at a glance: so many to a cell that they fit beside each other. */
function Overview({ rows }: { rows: BatchRow[] }): Markup {
  const each = Math.ceil(rows.length / MOST_CELLS);
  const cells = Array.from({ length: Math.ceil(rows.length / each) }, (_, k) => rows.slice(k * each, (k + 1) * each));
  const of = (state: BatchRow['state']) => rows.filter((row) => row.state === state).length;
  const said = `${counted(rows.length, 'batch', 'batches')}: ${of('done')} done, ${of('running')} running, ${of('failed')} failed, ${of('pending')} to come.`;
  return html`<svg class="overview" width="100%" height="14" role="img" aria-label=${said}>
    <title>${said}</title>
    ${cells.map((batches, k) => {
      const share = batches.reduce((sum, { done, count }) => sum + done / Math.max(1, count), 0) / batches.length;
      const worst = batches.some(({ state }) => state === 'failed')
        ? 'failed'
        : batches.some(({ state }) => state === 'running')
          ? 'running'
          : 'quiet';
      const [x, width] = [percent(k / cells.length), 1 / cells.length];
      return html`<g key=${k} class=${worst}>
        <rect class="ground" x=${x} width=${percent(width * 0.86)} height="14" />
        <rect class="done" x=${x} width=${percent(width * 0.86 * share)} height="14" />
      </g>`;
    })}
  </svg>`;
}
