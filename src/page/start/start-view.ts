import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { Title } from '../parts.js';

/** Chooses what a job scores and how, and starts it. */
export function StartView({ app }: { app: App }): Markup {
  return html`<${Title} text="Start a job" />
    <p>${app.connection.lacks.value === 'nothing' ? 'Start one with: npm run score -- VIDEO' : ''}</p>`;
}
