import { useEffect, useMemo, useRef } from 'preact/hooks';
import { signal } from '@preact/signals';
import type { App } from './app.js';
import { html, type Markup } from './html.js';
import { JobView } from './job/job-view.js';
import { JobsView } from './jobs/jobs-view.js';
import { Title } from './parts.js';
import { hrefOf, type Route } from './route.js';
import { areShortcutsOn, pressKey, type Shortcut, shortcutsNow, switchShortcuts, useShortcuts } from './shortcuts.js';
import { droppedIn } from './start/picked.js';
import { StartView } from './start/start-view.js';

const helpOpen = signal(false);

/** What is around every view: the way to the others, what the app lacks to answer, help, and files dropped anywhere. */
export function Shell({ app }: { app: App }): Markup {
  const route = app.route.value;
  useShortcuts(useMemo(() => shortcutsOf(app), [app]));
  useEffect(() => {
    document.addEventListener('keydown', pressKey);
    return () => document.removeEventListener('keydown', pressKey);
  }, []);
  useDrops(app);
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="bar">
      <a class="mark" href="#/" aria-label="Batch scoring, all jobs"><span aria-hidden="true"></span>Batch scoring</a>
      <nav aria-label="Views">
        <a href=${hrefOf({ view: 'jobs' })} aria-current=${isIn(route, 'jobs')}>Jobs</a>
        <a href=${hrefOf({ view: 'start' })} aria-current=${isIn(route, 'start')}>Start a job</a>
      </nav>
      <button type="button" class="quiet help" aria-label="Keyboard shortcuts" onClick=${showHelp}>?</button>
    </header>
    <${Lack} app=${app} />
    <main id="main" tabindex="-1" key=${keyOf(route)}>${viewOf(app, route)}</main>
    <p class="unseen" aria-live="polite">${app.said}</p>
    <${Help} />
  `;
}

function viewOf(app: App, route: Route): Markup {
  if (route.view === 'jobs') return html`<${JobsView} app=${app} />`;
  if (route.view === 'start') return html`<${StartView} app=${app} />`;
  if (route.view === 'job') return html`<${JobView} app=${app} id=${route.id} batch=${route.batch} />`;
  return html`<${Title} text="Nothing is here" />
    <p>This address leads to no view of the page. <a href="#/">All jobs</a></p>`;
}

/** A view goes on while only something in it changes. */
const keyOf = (route: Route) => (route.view === 'job' ? `job ${route.id}` : route.view);
const isIn = (route: Route, view: Route['view']) => (route.view === view ? 'page' : undefined);
const showHelp = () => {
  helpOpen.value = true;
};

/** The address stays that of the view. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('#main')?.focus();
}

const shortcutsOf = (app: App): Shortcut[] => [
  { key: '?', does: 'Show these shortcuts', run: showHelp },
  { key: 'j', does: 'Go to the jobs', run: () => app.go({ view: 'jobs' }) },
  { key: 'n', does: 'Start a new job', run: () => app.go({ view: 'start' }) },
];

/** Files may be dropped anywhere; without this the browser would leave the page and show the file. */
function useDrops(app: App): void {
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const over = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
      document.body.classList.toggle('dragging', hasFiles(event) && event.type === 'dragover');
    };
    const drop = (event: DragEvent) => {
      document.body.classList.remove('dragging');
      if (!hasFiles(event) || event.defaultPrevented) return;
      event.preventDefault();
      if (event.dataTransfer) app.drop(droppedIn(event.dataTransfer));
      app.go({ view: 'start' });
    };
    document.addEventListener('dragover', over);
    document.addEventListener('dragleave', over);
    document.addEventListener('drop', drop);
    return () => {
      document.removeEventListener('dragover', over);
      document.removeEventListener('dragleave', over);
      document.removeEventListener('drop', drop);
    };
  }, [app]);
}

function Lack({ app: { connection } }: { app: App }): Markup {
  const lacks = connection.lacks.value;
  if (lacks === 'nothing') return null;
  if (lacks === 'login')
    return html`<section class="lack" aria-labelledby="lack">
      <h2 id="lack">Sign in</h2>
      <p>This app wants to know who you are. <a href=${loginUrl()}>Sign in with Microsoft Entra ID</a></p>
    </section>`;
  return html`<${KeyForm} isWrong=${lacks === 'right key'} useKey=${connection.useKey} />`;
}

/** Where App Service authentication has people sign in, and sends them back from. */
const loginUrl = () => `/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent(location.pathname)}`;

function KeyForm({ isWrong, useKey }: { isWrong: boolean; useKey: (key: string) => void }): Markup {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), [isWrong]);
  const submit = (event: Event) => {
    event.preventDefault();
    const key = field.current?.value.trim() ?? '';
    if (key !== '') useKey(key);
  };
  return html`<form class="lack" aria-labelledby="lack" onSubmit=${submit}>
    <h2 id="lack">A key is needed</h2>
    ${isWrong && html`<p class="wrong" role="alert">The app does not know that key; paste it once more.</p>`}
    <label for="key">Function key of this app</label>
    <div class="row">
      <input
        id="key"
        ref=${field}
        type="password"
        autocomplete="off"
        spellcheck=${false}
        required
        aria-describedby="key-hint"
      />
      <button type="submit" class="main">Use it</button>
    </div>
    <p id="key-hint" class="hint">It stays in this tab until you close it, and goes to this app alone.</p>
  </form>`;
}

function Help(): Markup {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = helpOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const close = () => {
    helpOpen.value = false;
  };
  const switched = (event: Event) => switchShortcuts((event.currentTarget as HTMLInputElement).checked);
  return html`<dialog ref=${dialog} onClose=${close} aria-labelledby="help-title">
    <h2 id="help-title">Keyboard shortcuts</h2>
    <dl class="keys">
      ${shortcutsNow().map(
        ({ key, does }) =>
          html`<div key=${key}>
            <dt><kbd>${key}</kbd></dt>
            <dd>${does}</dd>
          </div>`,
      )}
    </dl>
    <label class="check">
      <input type="checkbox" checked=${areShortcutsOn.value} onChange=${switched} /> Use these shortcuts
    </label>
    <button type="button" onClick=${close}>Close</button>
  </dialog>`;
}
