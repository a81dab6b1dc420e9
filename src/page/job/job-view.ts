import type { JobStatus } from '../../api/jobs.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { Freshness, State, Title, usePoll } from '../parts.js';
import { counted } from '../words.js';

/** One job, live. */
export function JobView({ app, id }: { app: App; id: string; batch: number | undefined }): Markup {
  const polled = usePoll<JobStatus>(
    app,
    id,
    (etag, signal) => app.connection.getSince(`jobs/${encodeURIComponent(id)}`, etag, signal),
    ({ state }) => (state === 'running' || state === 'queued' ? 1000 : 'over'),
  );
  const job = polled.data.value;
  return html`<${Title} text=${`Job ${id}`}>${job && html`<${State} state=${job.state} />`}<//>
    <${Freshness} app=${app} polled=${polled} />
    ${job && html`<p>${counted(job.items.done, 'item')} of ${job.items.total ?? 'an unknown number'} done.</p>`}`;
}
