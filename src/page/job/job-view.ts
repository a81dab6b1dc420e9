import { useEffect, useRef } from 'preact/hooks';
import type { JobStatus } from '../../api/jobs.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { Freshness, State, Title, usePoll } from '../parts.js';
import { age, nameOf } from '../words.js';
import { BatchPanel } from './batch-panel.js';
import { useBatches } from './batches.js';
import { GrowingSheet, Newest } from './pictures/compare.js';
import { Failures } from './failures.js';
import { FrameTable } from './pictures/frame-table.js';
import { Gallery } from './pictures/gallery.js';
import { isRunning, nowInWords, ProgressCard } from './progress-card.js';
import { Result } from './pictures/result.js';
import { Speed } from './speed.js';
import { Timeline } from './timeline.js';

/** One job, live. */
export function JobView({ app, id, batch }: { app: App; id: string; batch: number | undefined }): Markup {
  const polled = usePoll<JobStatus>(
    app,
    id,
    (etag, signal) => app.connection.getSince(`jobs/${encodeURIComponent(id)}`, etag, signal),
    (job) => (isRunning(job) ? 1000 : 'over'),
  );
  const job = polled.data.value;
  const batches = useBatches(app, job);
  const { refresh } = polled;
  const told = useRef<JobStatus['state'] | undefined>(undefined);
  useEffect(() => {
    if (job && told.current !== undefined && told.current !== job.state) app.say(nowInWords(job));
    told.current = job?.state;
  }, [job?.state]);
  if (!job) return html`<${Title} text=${`Job ${id}`} /><${Freshness} app=${app} polled=${polled} />`;
  const rows = batches.value;
  const { spec } = job;
  const input = spec?.input.video ?? spec?.input.images ?? '';
  const isVideo = spec?.input.images === undefined || spec.input.frameRate !== undefined;
  return html`<${Title} text=${input === '' ? `Job ${id}` : nameOf(input)}><${State} state=${job.state} /><//>
    <p class="soft about">
      <span>${id}</span>${job.run > 1 && html`<span>run ${job.run}</span>`}
      ${spec && html`<span>${spec.model} on ${spec.compute.kind}</span>`}
      <span>started ${age(Date.parse(job.createdAt), app.now.value)}</span>
    </p>
    ${isRunning(job) || polled.trouble.value ? html`<${Freshness} app=${app} polled=${polled} />` : null}
    <div class="one-job">
      <${ProgressCard} app=${app} job=${job} at=${polled.at.value ?? app.now.value} refresh=${refresh} />
      ${isVideo && html`<${Result} app=${app} job=${job} />`}
      ${isVideo && html`<${FrameTable} app=${app} job=${job} />`}
      ${isRunning(job) && html`<${Newest} app=${app} job=${job} />`}
      ${isRunning(job) && isVideo && html`<${GrowingSheet} app=${app} job=${job} />`}
      ${!isVideo && (job.stage === 'score' || !isRunning(job)) && html`<${Gallery} app=${app} job=${job} />`}
      ${!isVideo && html`<${Result} app=${app} job=${job} />`}
      <${Failures} job=${job} rows=${rows} />
      ${
        batch !== undefined &&
        html`<${BatchPanel} app=${app} job=${job} batch=${batch} row=${rows.find((row) => row.batch === batch)} />`
      }
      <${Timeline} app=${app} job=${job} rows=${rows} chosen=${batch} />
      <${Speed} app=${app} job=${job} rows=${rows} />
    </div>`;
}
