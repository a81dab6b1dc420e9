import { useMemo } from 'preact/hooks';
import type { BatchRow, JobStatus } from '../../api/jobs.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { duration, rate } from '../words.js';
import { isRunning } from './progress-card.js';
import { batchName } from './timeline.js';

/** Items per second from one moment on, in milliseconds since the epoch, until the next. */
export interface RateStep {
  at: number;
  rate: number;
}

/**
 * How fast a job has scored, as its attempts tell: each has scored its share of its batch between its first item and its last one. What
 * several attempts of a batch have scored is shared out by their time.
 */
export function rateOverTime(rows: BatchRow[], now: number): RateStep[] {
  const changes: RateStep[] = [];
  for (const { attempts, done } of rows) {
    const spans = attempts.flatMap(({ modelLoadedAt, firstItemAt, lastItemAt, endedAt }) => {
      const from = modelLoadedAt ?? firstItemAt;
      const to = endedAt === null ? now : (lastItemAt ?? endedAt);
      return firstItemAt === null || from === null || to <= from ? [] : [{ from, to }];
    });
    const seconds = spans.reduce((sum, { from, to }) => sum + (to - from) / 1000, 0);
    if (seconds === 0) continue;
    for (const { from, to } of spans)
      changes.push({ at: from, rate: done / seconds }, { at: to, rate: -done / seconds });
  }
  let sum = 0;
  const steps: RateStep[] = [];
  for (const { at, rate: change } of changes.toSorted((one, other) => one.at - other.at)) {
    sum = Math.max(0, sum + change);
    if (steps.at(-1)?.at === at) steps.pop();
    steps.push({ at, rate: sum < 1e-9 ? 0 : sum });
  }
  return steps;
}

/** So many points are as fine as anybody sees. */
const POINTS = 120;

/** The same as means over equal times. */
export function sampleRate(steps: RateStep[], points = POINTS): number[] {
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last || last.at <= first.at) return [];
  const width = (last.at - first.at) / points;
  const means = Array.from({ length: points }, () => 0);
  steps.slice(0, -1).forEach(({ at, rate: value }, k) => {
    const to = steps[k + 1]?.at ?? at;
    for (let point = Math.floor((at - first.at) / width); point < points; point += 1) {
      const from = Math.max(at, first.at + point * width);
      const until = Math.min(to, first.at + (point + 1) * width);
      if (until <= from) break;
      means[point] = (means[point] ?? 0) + (value * (until - from)) / width;
    }
  });
  return means;
}

/** How fast the job scores, where the time of its containers goes, and what would make it faster. */
export function Speed({ app, job, rows }: { app: App; job: JobStatus; rows: BatchRow[] }): Markup {
  const now = isRunning(job) ? app.now.value : 0;
  const steps = useMemo(() => rateOverTime(rows, now), [rows, now]);
  const { containerTime, bottleneck } = job;
  if (steps.length < 2 && !containerTime) return null;
  return html`<section class="card speed" aria-labelledby="speed">
    <h2 id="speed">Speed</h2>
    ${bottleneck !== null && html`<p class="bottleneck">${bottleneck}</p>`}
    <${RateLine} steps=${steps} rows=${rows} />
    ${containerTime && html`<${Uses} time=${containerTime} />`}
  </section>`;
}

const [WIDTH, HEIGHT] = [600, 90];

function RateLine({ steps, rows }: { steps: RateStep[]; rows: BatchRow[] }): Markup {
  const samples = sampleRate(steps);
  const most = Math.max(...samples, 0);
  const [first, last] = [steps[0], steps.at(-1)];
  if (most <= 0 || !first || !last) return null;
  const x = (k: number) => (k / (samples.length - 1)) * WIDTH;
  const y = (value: number) => HEIGHT - 4 - (value / most) * (HEIGHT - 12);
  const line = samples.map((value, k) => `${x(k).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const seconds = (last.at - first.at) / 1000;
  return html`<figure class="rate">
    <figcaption>Items a second over ${duration(seconds)}, at most ${rate(most)}</figcaption>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label="Rate over time; the table below has the numbers"
    >
      <polygon points=${`0,${HEIGHT} ${line} ${WIDTH},${HEIGHT}`} />
      <polyline points=${line} />
    </svg>
    <details>
      <summary>Show as a table</summary>
      <${RateTable} rows=${rows} />
    </details>
  </figure>`;
}

const MOST_ROWS = 50;

function RateTable({ rows }: { rows: BatchRow[] }): Markup {
  const told = rows.filter(({ attempts }) => attempts.some(({ firstItemAt }) => firstItemAt !== null));
  return html`<div class="tabled" tabindex="0" role="region" aria-label="Rate of each batch">
    <table>
      <thead>
        <tr>
          <th scope="col">Batch</th>
          <th scope="col">Items</th>
          <th scope="col">Scoring</th>
        </tr>
      </thead>
      <tbody>
        ${told.slice(-MOST_ROWS).map(({ batch, done, attempts }) => {
          const seconds = attempts.reduce(
            (sum, { firstItemAt, lastItemAt }) =>
              sum + (firstItemAt === null || lastItemAt === null ? 0 : (lastItemAt - firstItemAt) / 1000),
            0,
          );
          return html`<tr key=${batch}>
            <th scope="row">${batchName(batch)}</th>
            <td>${done}</td>
            <td>${duration(seconds)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
    ${told.length > MOST_ROWS && html`<p class="hint">The last ${MOST_ROWS} of ${told.length.toLocaleString('en')}.</p>`}
  </div>`;
}

const USES: Record<string, string> = {
  place: 'waiting for a place',
  image: 'getting the image',
  start: 'starting',
  model: 'loading the model',
  storage: 'storage',
  pictures: 'decoding, scaling and encoding',
  inference: 'inference',
  other: 'other work',
  unknown: 'unknown',
};

function Uses({ time }: { time: NonNullable<JobStatus['containerTime']> }): Markup {
  const shares = Object.entries(time.percent).filter(([, percent]) => percent > 0);
  let left = 0;
  const placed = shares.map(([use, percent]) => {
    const from = left;
    left += percent;
    return { use, percent, from };
  });
  return html`<figure class="uses">
    <figcaption>Where the time of the containers goes</figcaption>
    <svg width="100%" height="20" role="img" aria-label=${time.sentence}>
      ${placed.map(
        ({ use, percent, from }) =>
          html`<g key=${use}>
            <title>${percent} % ${USES[use] ?? use}</title>
            <rect class=${`use-${use}`} x="${from}%" width="${percent}%" height="20" />
          </g>`,
      )}
    </svg>
    <ul class="legend">
      ${placed.map(
        ({ use, percent }) =>
          html`<li key=${use}>
            <svg width="14" height="14" aria-hidden="true">
              <rect class=${`use-${use}`} width="14" height="14" rx="3" />
            </svg>
            ${percent} % ${USES[use] ?? use}
          </li>`,
      )}
    </ul>
  </figure>`;
}
