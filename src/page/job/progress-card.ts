import { useSignal } from '@preact/signals';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { JobStatus, RedriveAnswer } from '../../api/jobs.js';
import { createTimeLeft } from '../../job/estimate/time-left.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { Progress } from '../parts.js';
import { age, counted, duration, price, range, rate, timeLeftInWords } from '../words.js';

export const isRunning = ({ state }: Pick<JobStatus, 'state'>) => state === 'running' || state === 'queued';
const isVideo = ({ spec }: JobStatus) => spec?.input.images === undefined || spec.input.frameRate !== undefined;
const itemWord = (job: JobStatus) => (isVideo(job) ? 'frame' : 'image');

/** What a job does now, or how it ended, in words. */
export function nowInWords(job: JobStatus): string {
  const { state, stage, items, batches } = job;
  const of = (what: string) => `${what}: ${items.done.toLocaleString('en')} of ${counted(items.total, itemWord(job))}`;
  if (state === 'queued') return 'Waits for its turn';
  if (state === 'done')
    return items.failed > 0
      ? `Done, but for ${counted(items.failed, itemWord(job))} of ${items.total.toLocaleString('en')}`
      : `Done: ${counted(items.total, itemWord(job))}`;
  if (state === 'cancelled')
    return `Cancelled; ${items.done.toLocaleString('en')} of ${counted(items.total, itemWord(job))} are scored and kept`;
  if (state === 'failed') return 'Failed';
  if (stage === 'gather') return 'Waits for images';
  if (stage === 'prepare' || stage === null) return 'Checks the input, the model and the compute';
  if (stage === 'split') return items.total > 0 ? of('Splits the video into frames') : 'Splits the video into frames';
  if (stage === 'list') return `Lists the images: ${items.done.toLocaleString('en')} found`;
  if (stage === 'stitch') return of('Makes the output video');
  if (stage === 'collect') return of('Collects the outputs');
  if (stage === 'finish') return 'Checks the output and writes the manifest';
  if (items.done === 0 && batches.running === 0) return 'Starts containers';
  if (items.done === 0) return 'Containers load the model';
  return `${of('Scores')}, ${counted(batches.running, 'container')} at work`;
}

const STAGE_NAMES: Record<string, string> = {
  gather: 'Gather',
  prepare: 'Prepare',
  split: 'Split',
  list: 'List',
  score: 'Score',
  stitch: 'Stitch',
  collect: 'Collect',
  finish: 'Finish',
};

/** Those that a job goes through, as far as that can be told. */
function stagesOf(job: JobStatus): string[] {
  const known = Object.keys(job.stages);
  if (!isRunning(job)) return known;
  const usual =
    job.spec?.input.images === undefined
      ? ['prepare', 'split', 'score', 'stitch', 'finish']
      : ['prepare', 'list', 'score', 'collect', 'finish'];
  const last = usual.indexOf(known.at(-1) ?? '');
  return last < 0 ? known : [...known, ...usual.slice(last + 1)];
}

/** What it does, how far it is, how long it goes on, what it costs, and what can be done about it. */
export function ProgressCard({
  app,
  job,
  at,
  refresh,
}: {
  app: App;
  job: JobStatus;
  at: number;
  refresh: () => void;
}): Markup {
  const timeLeft = useMemo(createTimeLeft, [job.id]);
  const estimate = useMemo(() => timeLeft.look(job, at / 1000), [job, at]);
  const since = (app.now.value - at) / 1000;
  const left = estimate && { low: Math.max(0, estimate.low - since), high: Math.max(1, estimate.high - since) };
  const { items, stage, state, error, waiting, warnings, cost } = job;
  const running = isRunning(job);
  const share = items.total > 0 ? Math.min(1, items.done / items.total) : undefined;
  return html`<section class="card progress" aria-labelledby="now">
    <h2 id="now" class="now">${nowInWords(job)}</h2>
    ${running && html`<${Progress} share=${state === 'queued' ? undefined : share} label="Items of this stage that are done" />`}
    <ol class="stages" aria-label="Stages">
      ${stagesOf(job).map((each) => {
        const seconds = job.stages[each as keyof JobStatus['stages']];
        const where = each === stage && running ? 'current' : seconds === undefined ? 'later' : 'past';
        return html`<li key=${each} class=${where} aria-current=${where === 'current' ? 'step' : undefined}>
          ${STAGE_NAMES[each] ?? each}
          ${seconds !== undefined && html` <span class="soft">${duration(where === 'current' ? seconds + since : seconds)}</span>`}
        </li>`;
      })}
    </ol>
    <dl class="figures">
      ${running && html`<${Figure} name="Time left" value=${left ? timeLeftInWords(left).replace(/ left$/, '') : whyNoTime(job)} />`}
      ${job.itemsPerSecond !== null && html`<${Figure} name="Rate" value=${rate(job.itemsPerSecond)} />`}
      ${cost && html`<${Figure} name="Cost" value=${costInWords(cost, running)} />`}
      ${!running && html`<${Figure} name="Took" value=${duration(Object.values(job.stages).reduce((sum, each) => sum + each, 0))} />`}
      ${items.failed > 0 && html`<${Figure} name="Failed" value=${counted(items.failed, itemWord(job))} />`}
      ${(items.reused ?? 0) > 0 && html`<${Figure} name="Reused" value=${counted(items.reused ?? 0, itemWord(job))} />`}
      ${job.attempts > 0 && html`<${Figure} name="Container runs" value=${job.attempts.toLocaleString('en')} />`}
    </dl>
    ${
      job.reportedAt !== null &&
      html`<p class="hint">Containers last reported ${age(Date.parse(job.reportedAt), app.now.value)}.</p>`
    }
    ${waiting.map((why) => html`<p key=${why} class="warning">Waits. ${why}</p>`)}
    ${error && state === 'failed' && html`<p class="trouble" role="alert">${error.message}</p>`}
    ${warnings.map((warning) => html`<p key=${warning} class="warning">${warning}</p>`)}
    <${Actions} app=${app} job=${job} refresh=${refresh} />
  </section>`;
}

const Figure = ({ name, value }: { name: string; value: string }): Markup =>
  html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;

function whyNoTime({ state, stage, items }: JobStatus): string {
  if (state === 'queued') return 'not known yet';
  return stage === 'score' && items.done === 0 ? 'starting containers' : 'not known yet';
}

function costInWords({ soFar, inAll }: NonNullable<JobStatus['cost']>, running: boolean): string {
  if (!running || inAll === null || inAll.high === 0) return price(soFar);
  return `${price(soFar)} so far, ${range(inAll.low, inAll.high, price)} in all`;
}

/** What can be done with a job, by a button or by a command. */
function Actions({ app, job, refresh }: { app: App; job: JobStatus; refresh: () => void }): Markup {
  const trouble = useSignal('');
  const isAsking = useSignal(false);
  const dialog = useRef<HTMLDialogElement>(null);
  const path = `jobs/${encodeURIComponent(job.id)}`;
  const act = async (does: () => Promise<string>) => {
    isAsking.value = true;
    trouble.value = '';
    try {
      app.say(await does());
    } catch (error) {
      trouble.value = error instanceof Error ? error.message : 'That did not work; try again.';
    }
    isAsking.value = false;
    refresh();
  };
  const cancel = () => {
    dialog.current?.close();
    void act(async () => {
      await app.connection.send('DELETE', path);
      return 'The job is being cancelled.';
    });
  };
  const redrive = () =>
    void act(async () => {
      const answer = await app.connection.send<RedriveAnswer>('POST', `${path}/redrive`, {});
      return answer.message;
    });
  const canRedrive = !isRunning(job) && (job.state !== 'done' || job.items.failed > 0);
  return html`<div class="actions row">
      ${
        isRunning(job) &&
        html`<button type="button" disabled=${isAsking.value} onClick=${() => dialog.current?.showModal()}>
          Cancel …
        </button>`
      }
      ${
        canRedrive &&
        html`<button type="button" class="main" disabled=${isAsking.value} onClick=${redrive}>
          Run the rest again
        </button>`
      }
      <${Copy} text=${location.href.replace(/\/batches\/\d+$/, '')} label="Copy the link" />
      ${
        isRunning(job)
          ? html`<${Copy} text=${command('watch', job)} label="Copy the command that watches it" />`
          : canRedrive && html`<${Copy} text=${command('redrive', job)} label="Copy the command that runs the rest" />`
      }
    </div>
    ${trouble.value !== '' && html`<p class="trouble" role="alert">${trouble.value}</p>`}
    <dialog ref=${dialog} aria-labelledby="cancel-title">
      <h2 id="cancel-title">Cancel this job?</h2>
      <p>
        Its containers end within seconds. What is scored by then stays, and${' '}
        <b>Run the rest again</b> goes on from there.
      </p>
      <p class="row">
        <button type="button" class="main" onClick=${cancel}>Cancel the job</button>
        <button type="button" onClick=${() => dialog.current?.close()}>Let it run</button>
      </p>
    </dialog>`;
}

/** The same on the command line. */
export const command = (name: string, { id }: Pick<JobStatus, 'id'>, more = '') =>
  `npx durable-batch-scoring ${name} ${id}${more} --url ${location.origin}`;

/** Copies a text, and says so for a moment. */
export function Copy({ text, label }: { text: string; label: string }): Markup {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<button type="button" class="quiet" title=${text} onClick=${() => void copy()}>
    ${isCopied ? 'Copied' : label}
  </button>`;
}
