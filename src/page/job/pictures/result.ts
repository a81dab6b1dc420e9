import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { FileAnswer, JobStatus } from '../../../api/jobs.js';
import type { App } from '../../app.js';
import { html, type Markup } from '../../html.js';
import { nameOf, size } from '../../words.js';
import { isRunning } from '../progress-card.js';
import { useWork } from '../work.js';

/** Where a file of a job is; undefined while that is asked, null when there is none. */
function useFile(app: App, id: string, file: string | undefined): FileAnswer | null | undefined {
  const answer = useSignal<FileAnswer | null | undefined>(undefined);
  useWork(
    async (signal) => {
      answer.value = file === undefined ? null : undefined;
      if (file === undefined) return;
      answer.value = await app.connection.get<FileAnswer>(`jobs/${encodeURIComponent(id)}/files/${file}`, signal);
    },
    [app, id, file],
    () => {
      answer.value = null;
    },
  );
  return answer.value;
}

/** What a job has made: videos side by side, the contact sheet, and files to take along. */
export function Result({ app, job }: { app: App; job: JobStatus }): Markup {
  if (isRunning(job)) return null;
  const { id, state, output, spec } = job;
  const isVideo = state === 'done' && output !== null && !output.endsWith('/');
  return html`<section class="card result" aria-labelledby="result">
    <h2 id="result">${state === 'done' ? 'Result' : 'What is there'}</h2>
    ${isVideo && html`<${Videos} app=${app} id=${id} hasSource=${spec?.input.video !== undefined} />`}
    ${isVideo && html`<${ContactSheet} app=${app} id=${id} />`}
    <div class="row downloads">
      ${isVideo && html`<${Download} app=${app} id=${id} file="output" name=${nameOf(output)} isMain=${true} />`}
      ${
        job.predictions !== null &&
        html`<${Download} app=${app} id=${id} file="predictions" name="predictions.jsonl" />
          <${Download} app=${app} id=${id} file="predictions-csv" name="predictions.csv" />`
      }
      <${Download} app=${app} id=${id} file="manifest" name="manifest.json" />
      ${job.items.failed > 0 && html`<${Download} app=${app} id=${id} file="failed-items" name="failed-items.jsonl" />`}
    </div>
    ${output !== null && html`<p class="hint">Stored as ${output}</p>`}
  </section>`;
}

function Download({
  app,
  id,
  file,
  name,
  isMain = false,
}: {
  app: App;
  id: string;
  file: string;
  name: string;
  isMain?: boolean;
}): Markup {
  const found = useFile(app, id, file);
  if (!found) return null;
  return html`<a
    class="button ${isMain ? 'main' : ''}"
    href=${found.url}
    download=${name}
    target="_blank"
    rel="noreferrer"
  >
    ${isMain ? 'Download' : name} <span class="bytes">${size(found.bytes)}</span>
  </a>`;
}

function ContactSheet({ app, id }: { app: App; id: string }): Markup {
  const found = useFile(app, id, 'contact-sheet');
  if (!found) return null;
  return html`<details class="contact" open>
    <summary>Contact sheet: before and after, all over the video</summary>
    <img src=${found.url} alt="Frames of the video, each as it came and as it was scored" loading="lazy" />
  </details>`;
}

/** How far one video may be from the other before it is moved, in seconds: half a frame of most. */
const DRIFT_SECONDS = 0.02;

/** Source and result side by side. The result has the controls; its clock drives the source. */
function Videos({ app, id, hasSource }: { app: App; id: string; hasSource: boolean }): Markup {
  const output = useFile(app, id, 'output');
  const source = useFile(app, id, hasSource ? 'source' : undefined);
  const [after, before] = [useRef<HTMLVideoElement>(null), useRef<HTMLVideoElement>(null)];
  const cannotPlay = useSignal('');
  useEffect(() => {
    const [leads, follows] = [after.current, before.current];
    if (!leads || !follows) return undefined;
    return keepInStep(leads, follows);
  }, [output, source]);
  if (!output) return null;
  const failed = (what: string) => () => {
    cannotPlay.value = `This browser cannot play the ${what}; download it to see it.`;
  };
  return html`<div class="videos">
      ${
        source &&
        html`<figure>
          <figcaption>Before</figcaption>
          <video
            ref=${before}
            src=${source.url}
            muted
            playsinline
            preload="auto"
            tabindex="-1"
            onError=${failed('source')}
          ></video>
        </figure>`
      }
      <figure>
        <figcaption>After</figcaption>
        <video
          ref=${after}
          src=${output.url}
          controls
          playsinline
          preload="auto"
          aria-label=${source ? 'The result; the source plays in step with it' : 'The result'}
          onError=${failed('result')}
        ></video>
      </figure>
    </div>
    ${cannotPlay.value !== '' && html`<p class="warning" role="status">${cannotPlay.value}</p>`}`;
}

/** Has one video do what another does. @returns what ends that. */
function keepInStep(leads: HTMLVideoElement, follows: HTMLVideoElement): () => void {
  let frame = 0;
  const align = () => {
    const apart = follows.currentTime - leads.currentTime;
    if (leads.paused || Math.abs(apart) > 0.3) {
      if (Math.abs(apart) > DRIFT_SECONDS / 2 && !follows.seeking) follows.currentTime = leads.currentTime;
      follows.playbackRate = leads.playbackRate;
    } else {
      // A little faster or slower is not seen; a jump is.
      const catching = Math.abs(apart) <= DRIFT_SECONDS ? 0 : Math.max(-0.25, Math.min(0.25, -apart * 2));
      follows.playbackRate = leads.playbackRate * (1 + catching);
    }
  };
  const tick = () => {
    align();
    frame = leads.paused ? 0 : requestAnimationFrame(tick);
  };
  const play = () => {
    follows.play().catch(() => undefined);
    if (frame === 0) frame = requestAnimationFrame(tick);
  };
  const pause = () => {
    follows.pause();
    align();
  };
  const turns: [string, () => void][] = [
    ['play', play],
    ['playing', play],
    ['pause', pause],
    ['waiting', () => follows.pause()],
    ['seeking', align],
    ['seeked', align],
    ['ratechange', align],
    ['ended', pause],
  ];
  for (const [name, turn] of turns) leads.addEventListener(name, turn);
  align();
  return () => {
    cancelAnimationFrame(frame);
    for (const [name, turn] of turns) leads.removeEventListener(name, turn);
  };
}
