import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { JobStatus } from '../api/jobs.js';
import type { App } from './app.js';
import { html, type Markup } from './html.js';
import { createPoll, isFinal, type Polled } from './polling.js';
import { age } from './words.js';

/** Parts that several views are made of. */

/** The head of a view. It names the page's tab, and has the focus when the user comes to the view. */
export function Title({ text, children }: { text: string; children?: Markup }): Markup {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${text} · Batch scoring`;
  }, [text]);
  useEffect(() => {
    // Not at the first load: there the focus is the browser's.
    if (document.activeElement !== document.body || document.body.dataset['moved'] === 'yes')
      heading.current?.focus({ preventScroll: true });
    document.body.dataset['moved'] = 'yes';
  }, []);
  return html`<div class="title">
    <h1 ref=${heading} tabindex="-1">${text}</h1>
    ${children}
  </div>`;
}

/** Polls for as long as a component is shown, anew when `key` changes. */
export function usePoll<T>(
  app: App,
  key: string,
  read: Parameters<typeof createPoll<T>>[0],
  pace?: (data: T) => number | 'over',
): Polled<T> {
  const polled = useMemo(() => createPoll(read, { clock: app.clock, ...(pace && { pace }) }), [app, key]);
  useEffect(() => () => polled.stop(), [polled]);
  return polled;
}

/** How old is what is shown, when that is worth a word, and why it is. */
export function Freshness({ app, polled }: { app: App; polled: Polled<unknown> }): Markup {
  const { at, trouble } = polled;
  if (!trouble.value)
    return html`<p class="fresh">${at.value === undefined ? 'Loading …' : `As of ${age(at.value, app.now.value)}`}</p>`;
  const old = at.value === undefined ? '' : ` What you see is from ${age(at.value, app.now.value)}.`;
  return html`<p class="trouble" role="alert">
    ${trouble.value.message}${old}${
      !isFinal(trouble.value) && html` <button type="button" class="quiet" onClick=${polled.refresh}>Try now</button>`
    }
  </p>`;
}

const STATES: Record<JobStatus['state'], string> = {
  queued: 'queued',
  running: 'running',
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
};

export const State = ({ state }: { state: JobStatus['state'] }): Markup =>
  html`<span class="state ${state}">${STATES[state]}</span>`;

/** @param share from 0 to 1; undefined: nobody knows. */
export const Progress = ({ share, label }: { share: number | undefined; label: string }): Markup =>
  html`<progress max="1" value=${share} aria-label=${label}></progress>`;
