import { effect } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { JobList, JobStatus, ListedJob } from '../../api/jobs.js';
import type { App } from '../app.js';
import { Refusal } from '../connection.js';
import { html, type Markup } from '../html.js';
import { Freshness, Title, usePoll } from '../parts.js';
import { hrefOf } from '../route.js';
import { type Shortcut, useShortcuts } from '../shortcuts.js';
import { counted, nameOf } from '../words.js';
import { JobRow } from './job-row.js';
import { append, changesIn, find, isGoingOn, renew } from './listing.js';

type Wanted = JobStatus['state'] | 'all';
const CHOICES: Wanted[] = ['all', 'running', 'queued', 'done', 'failed', 'cancelled'];
/** While no job goes on, only new ones change the list. */
const QUIET_MS = 5000;

/** The jobs of the app, the newest first. */
export function JobsView({ app }: { app: App }): Markup {
  const [wanted, setWanted] = useState<Wanted>('all');
  const [text, setText] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useShortcuts(useMemo((): Shortcut[] => [{ key: '/', does: 'Find a job', run: () => field.current?.focus() }], []));
  const { jobs, polled, older, trouble } = useJobs(app, wanted);
  const found = jobs && find(jobs, text);
  const isEmpty = wanted === 'all' && jobs?.length === 0;
  const typed = (event: Event) => setText((event.currentTarget as HTMLInputElement).value);
  return html`
    <${Title} text="Jobs"><a class="button main" href=${hrefOf({ view: 'start' })}>Start a job</a><//>
    ${
      !isEmpty &&
      html`<div class="filters">
        <fieldset class="choices">
          <legend class="unseen">State</legend>
          ${CHOICES.map(
            (choice) =>
              html`<label key=${choice}>
                <input type="radio" name="state" checked=${choice === wanted} onChange=${() => setWanted(choice)} />
                <span>${choice}</span>
              </label>`,
          )}
        </fieldset>
        <input ref=${field} type="search" aria-label="Find a job" placeholder="Find …" value=${text} onInput=${typed} />
      </div>`
    }
    <${Freshness} app=${app} polled=${polled} />
    ${isEmpty && html`<${Empty} />`} ${found?.length === 0 && !isEmpty && html`<p class="soft">No such job here.</p>`}
    <ul class="jobs">
      ${found?.map((job) => html`<${JobRow} key=${job.id} job=${job} now=${app.now.value} />`)}
    </ul>
    ${trouble && html`<p class="trouble" role="alert">${trouble}</p>`}
    ${older && html`<p class="older"><button type="button" onClick=${older}>Older jobs</button></p>`}
  `;
}

function useJobs(app: App, wanted: Wanted) {
  const [jobs, setJobs] = useState<{ of: Wanted; list: ListedJob[]; next: string | null } | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const query = wanted === 'all' ? '' : `?state=${wanted}`;
  const polled = usePoll<JobList>(
    app,
    wanted,
    (etag, signal) => app.connection.getSince(`jobs${query}`, etag, signal),
    (list) => (list.jobs.some(isGoingOn) ? 1000 : QUIET_MS),
  );
  const shown = jobs?.of === wanted ? jobs : undefined;
  const latest = useRef(shown);
  latest.current = shown;
  useEffect(
    () =>
      effect(() => {
        const list = polled.data.value;
        if (!list) return;
        const before = latest.current?.of === wanted ? latest.current : undefined;
        const after = renew(before?.list ?? [], list);
        const changes = before ? changesIn(before.list, after, nameOf) : counted(after.length, 'job');
        if (changes !== '') app.say(changes);
        // Once older ones are shown, what comes after these is known already.
        const next = before && after.length > list.jobs.length ? before.next : list.next;
        setJobs({ of: wanted, list: after, next });
      }),
    [polled],
  );
  useEffect(() => setTrouble(''), [wanted]);
  const more = async (from: string) => {
    try {
      const separator = query === '' ? '?' : '&';
      const page = await app.connection.get<JobList>(`jobs${query}${separator}from=${encodeURIComponent(from)}`);
      setTrouble('');
      setJobs({ of: wanted, list: append(latest.current?.list ?? [], page), next: page.next });
      app.say(`${counted(page.jobs.length, 'older job')}.`);
    } catch (error) {
      if (error instanceof Refusal) setTrouble(error.message);
      else throw error;
    }
  };
  const next = shown?.next ?? null;
  return { jobs: shown?.list, polled, trouble, older: next === null ? undefined : () => void more(next) };
}

const Empty = (): Markup =>
  html`<section class="card empty">
    <div class="sky" aria-hidden="true"></div>
    <h2>No job yet</h2>
    <p class="soft">Drop a video, a folder or some pictures anywhere on this page, or choose them yourself.</p>
    <p><a class="button main" href=${hrefOf({ view: 'start' })}>Start the first one</a></p>
  </section>`;
