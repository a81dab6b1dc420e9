import type { JobList } from '../../api/jobs.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { Freshness, Title, usePoll } from '../parts.js';

/** The jobs of the app, the newest first. */
export function JobsView({ app }: { app: App }): Markup {
  const polled = usePoll<JobList>(app, 'jobs', (etag, signal) => app.connection.getSince('jobs', etag, signal));
  return html`<${Title} text="Jobs" /><${Freshness} app=${app} polled=${polled} />
    <ul>
      ${polled.data.value?.jobs.map(({ id }) => html`<li key=${id}><a href=${`#/jobs/${id}`}>${id}</a></li>`)}
    </ul>`;
}
