import { useState } from 'preact/hooks';
import type { ListedJob } from '../../api/jobs.js';
import { html, type Markup } from '../html.js';
import { Progress, State } from '../parts.js';
import { hrefOf } from '../route.js';
import { age, counted, duration, nameOf, price, rate } from '../words.js';
import { isGoingOn } from './listing.js';

/** A job in the list. */
export function JobRow({ job, now }: { job: ListedJob; now: number }): Markup {
  const { id, state, items, input } = job;
  const name = nameOf(input);
  const share = items.total > 0 ? (items.done + items.failed) / items.total : undefined;
  return html`<li class="listed card">
    <${Thumbnail} url=${job.thumbnail} />
    <div class="said">
      <div class="name">
        <h2><a href=${hrefOf({ view: 'job', id })} title=${input}>${name}</a></h2>
        <${State} state=${state} />
      </div>
      <p class="now ${state}">${sentence(job.now)}</p>
      ${isGoingOn(job) && html`<${Progress} share=${share} label=${`Progress of ${name}`} />`}
      <p class="facts">${factsOf(job, now).map((fact) => html`<span key=${fact}>${fact}</span>`)}</p>
    </div>
  </li>`;
}

function factsOf(job: ListedJob, now: number): string[] {
  const { items, itemsPerSecond, secondsLeft, cost, createdAt, endedAt } = job;
  const begun = Date.parse(createdAt);
  const done = items.total > 0 ? `${items.done.toLocaleString('en')} of ${counted(items.total, 'item')}` : undefined;
  const spent = cost && cost.soFar > 0 ? `${price(cost.soFar)} so far` : undefined;
  return [
    done,
    items.failed > 0 ? `${items.failed.toLocaleString('en')} failed` : undefined,
    itemsPerSecond === null ? undefined : rate(itemsPerSecond),
    secondsLeft === null ? undefined : `about ${duration(secondsLeft)} left`,
    spent,
    `${job.model} on ${job.compute}`,
    endedAt === null ? undefined : `took ${duration((Date.parse(endedAt) - begun) / 1000)}`,
    `started ${age(begun, now)}`,
  ].filter((fact) => fact !== undefined);
}

/** As the app says it, which goes on from the job's name. */
const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** The URL changes with each answer, as its signature does; the picture stays. */
function Thumbnail({ url }: { url: string | null }): Markup {
  const [shown, setShown] = useState(url);
  const [isGone, setGone] = useState(false);
  if (shown === null && url !== null) setShown(url);
  const lost = () => (url === shown ? setGone(true) : setShown(url));
  if (shown === null || isGone) return html`<div class="picture" aria-hidden="true"></div>`;
  return html`<img class="picture" src=${shown} alt="" loading="lazy" onError=${lost} />`;
}
