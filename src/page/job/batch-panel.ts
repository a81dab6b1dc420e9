import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { BatchRow, JobStatus } from '../../api/jobs.js';
import type { JobLogs } from '../../api/logs.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { hrefOf } from '../route.js';
import { Copy, command, isRunning } from './progress-card.js';
import { attemptInWords, batchName } from './timeline.js';
import { useSteps } from './work.js';

const PAUSE_MS = 2000;
const MOST_LINES = 2000;

/** One batch: its attempts in words, and what its containers say, as they say it. */
export function BatchPanel({
  app,
  job,
  batch,
  row,
}: {
  app: App;
  job: JobStatus;
  batch: number;
  row: BatchRow | undefined;
}): Markup {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
    heading.current?.scrollIntoView({ block: 'nearest' });
  }, [batch]);
  const now = isRunning(job) ? app.now.value : Date.now();
  return html`<section class="card batch" aria-labelledby="batch">
    <div class="row spread">
      <h2 id="batch" ref=${heading} tabindex="-1">${batchName(batch)}</h2>
      <span class="row">
        <${Copy}
          text=${command('logs', job, ` --batch ${batch} --follow`)}
          label="Copy the command that shows its log"
        />
        <a class="button" href=${hrefOf({ view: 'job', id: job.id })}>Close</a>
      </span>
    </div>
    ${
      row &&
      html`<p>
          Items ${row.first} to ${row.first + row.count - 1}: ${row.done}${' '}
          done${row.failed > 0 && `, ${row.failed} failed`}. ${row.waiting !== null && ` It waits: ${row.waiting}`}
        </p>
        ${row.message !== '' && html`<p class="warning">${row.message}</p>`}
        <ul class="attempts">
          ${row.attempts.map(
            (attempt) =>
              html`<li key=${attempt.attempt} class=${attempt.end ?? 'open'}>
                ${attemptInWords(batch, attempt, now)}
              </li>`,
          )}
        </ul>`
    }
    <${Log} key=${`${job.run} ${batch}`} app=${app} job=${job} batch=${batch} />
  </section>`;
}

interface Line {
  number: number;
  time: string;
  level: string;
  attempt: number;
  message: string;
}

/** The log of a batch, which grows while it runs; it stays at its end unless somebody reads further up. */
function Log({ app, job, batch }: { app: App; job: JobStatus; batch: number }): Markup {
  const lines = useSignal<Line[]>([]);
  const said = useSignal('Loading …');
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const from = useRef('');
  const numbered = useRef(0);
  useSteps(
    app,
    async (signal) => {
      const query = `batch=${batch}${from.current === '' ? '' : `&from=${encodeURIComponent(from.current)}`}`;
      const path = `jobs/${encodeURIComponent(job.id)}/logs?${query}`;
      const answer = await app.connection.get<JobLogs>(path, signal);
      const more = answer.lines.map(({ time, level, attempt, message }) => {
        numbered.current += 1;
        return { number: numbered.current, time, level, attempt, message };
      });
      if (more.length > 0) lines.value = [...lines.value, ...more].slice(-MOST_LINES);
      said.value = lines.value.length === 0 ? 'Nothing was said yet.' : '';
      if (answer.next === null) return undefined;
      from.current = answer.next;
      return answer.more ? 0 : app.clock.isVisible() ? PAUSE_MS : 5 * PAUSE_MS;
    },
    [job.id, batch],
    (sentence) => {
      said.value = sentence;
    },
  );
  useEffect(() => {
    if (box.current && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.value]);
  const scrolled = () => {
    const { scrollTop = 0, scrollHeight = 0, clientHeight = 0 } = box.current ?? {};
    isAtEnd.current = scrollHeight - scrollTop - clientHeight < 40;
  };
  return html`<div
    class="log"
    ref=${box}
    tabindex="0"
    role="log"
    aria-label="Log of ${batchName(batch)}"
    onScroll=${scrolled}
  >
    ${said.value !== '' && html`<p class="soft">${said.value}</p>`}
    ${lines.value.map(
      ({ number, time, level, attempt, message }) =>
        html`<div key=${number} class="entry ${level}">
          <span class="when">${time.slice(11, 19)}</span>
          <span class="when">a${attempt}</span>
          <span>${level === 'info' ? '' : `${level}: `}${message}</span>
        </div>`,
    )}
  </div>`;
}
