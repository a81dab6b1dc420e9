import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { ListedModel } from '../../api/models.js';
import type { App } from '../app.js';
import { html, type Markup } from '../html.js';
import { Progress, Title } from '../parts.js';
import { counted, duration, price, range, size } from '../words.js';
import { makesVideo } from './draft.js';
import { Options, Wrong } from './options.js';
import { type Chosen, droppedIn, filesIn, filesOf, type Picked } from './picked.js';
import { createStart, type Start, type Upload } from './start.js';

/** Chooses what a job scores and how, says what that takes, and starts it. */
export function StartView({ app }: { app: App }): Markup {
  const start = useMemo(() => createStart(app), [app]);
  useEffect(() => start.stop, [start]);
  const dropped = app.dropped.value;
  useEffect(() => {
    if (!dropped) return;
    app.drop(undefined);
    void filesIn(dropped).then(start.choose);
  }, [dropped]);
  const model = start.models.value?.find(({ name }) => name === start.draft.value.model);
  return html`
    <${Title} text="Start a job" />
    <div class="start">
      <div class="choices-of-job">
        <${Input} start=${start} now=${app.now.value} />
        <${Models} start=${start} />
        ${model && model.takesStyle !== false && html`<${Style} start=${start} now=${app.now.value} isNeeded=${model.takesStyle === true} />`}
        <${Options} start=${start} model=${model} />
      </div>
      <${Summary} start=${start} model=${model} />
    </div>
  `;
}

function Input({ start, now }: { start: Start; now: number }): Markup {
  const picked = start.picked.value;
  const title = useRef<HTMLHeadingElement>(null);
  const before = useRef(picked);
  useEffect(() => {
    // What had the focus is gone with what it was in: without this the keyboard begins at the top again.
    if (before.current !== picked && document.activeElement === document.body) title.current?.focus();
    before.current = picked;
  }, [picked]);
  return html`<section class="card" aria-labelledby="input-title">
    <h2 id="input-title" ref=${title} tabindex="-1">What to score</h2>
    ${picked ? html`<${Preview} picked=${picked} />` : html`<${DropZone} choose=${start.choose} />`}
    ${
      picked &&
      html`<${Sending} upload=${start.upload.value} now=${now} what=${picked.name} />
        <p><button type="button" class="quiet" onClick=${start.forget}>Choose something else</button></p>`
    }
    <${Wrong} start=${start} field="input" />
  </section>`;
}

function DropZone({ choose }: { choose: (files: readonly Chosen[]) => void }): Markup {
  const folder = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    if (event.dataTransfer) void filesIn(droppedIn(event.dataTransfer)).then(choose);
  };
  const changed = (event: Event) => choose(filesOf((event.currentTarget as HTMLInputElement).files));
  return html`<div class="drop" onDrop=${drop}>
    <div class="sun" aria-hidden="true"></div>
    <p><strong>Drop a video, a folder or pictures here</strong></p>
    <div class="row">
      <label class="button main">
        <input type="file" multiple accept="video/*,image/*,.mkv" class="unseen" onChange=${changed} />Choose files
      </label>
      <label class="button">
        <input type="file" ref=${folder} webkitdirectory class="unseen" onChange=${changed} />Choose a folder
      </label>
    </div>
    <p class="hint">They go straight to the storage of this app, and stay there until you remove them.</p>
  </div>`;
}

const SHOWN = 11;

function Preview({ picked }: { picked: Picked }): Markup {
  const files = picked.kind === 'video' ? [picked.file] : picked.images.slice(0, SHOWN).map(({ file }) => file);
  const urls = useUrls(files);
  if (picked.kind === 'video')
    return html`<div class="preview">
      <video src=${urls[0]} controls muted playsinline preload="metadata" aria-label=${picked.name}></video>
      <p><strong>${picked.name}</strong> <span class="soft">${size(picked.bytes)}</span></p>
    </div>`;
  const more = picked.images.length - files.length;
  return html`<div class="preview">
    <ul class="pictures" aria-label="The first pictures">
      ${urls.map((url, index) => html`<li key=${url}><img src=${url} alt=${picked.images[index]?.path} loading="lazy" /></li>`)}
      ${more > 0 && html`<li class="more">and ${more.toLocaleString('en')} more</li>`}
    </ul>
    <p>
      <strong>${picked.name}</strong>${' '}
      <span class="soft">${counted(picked.images.length, 'picture')}, ${size(picked.bytes)}</span>
    </p>
    ${picked.leftOut.map((sentence) => html`<p key=${sentence} class="hint">${sentence}</p>`)}
  </div>`;
}

/** Addresses of files for as long as they are shown. */
function useUrls(files: readonly File[]): string[] {
  const urls = useMemo(() => files.map((file) => URL.createObjectURL(file)), files);
  useEffect(() => () => urls.forEach((url) => URL.revokeObjectURL(url)), [urls]);
  return urls;
}

function Sending({ upload, now, what }: { upload: Upload | undefined; now: number; what: string }): Markup {
  if (!upload) return null;
  if (upload.trouble !== undefined) return html`<p class="trouble" role="alert">${upload.trouble}</p>`;
  if (upload.path !== undefined) return html`<p class="hint sent">Uploaded.</p>`;
  const { bytes, total, beganAt } = upload;
  const seconds = (now - beganAt) / 1000;
  const left = seconds > 2 && bytes > 0 ? `, about ${duration(((total - bytes) * seconds) / bytes)} left` : '';
  const share = total > 0 ? bytes / total : undefined;
  return html`<${Progress} share=${share} label=${`Upload of ${what}`} />
    <p class="hint">${size(bytes)} of ${size(total)} uploaded${left}</p>`;
}

const GIVES: Record<NonNullable<ListedModel['gives']>, string> = {
  image: 'gives pictures',
  classes: 'names what it sees',
  detections: 'finds things',
  mask: 'marks areas',
  tensor: 'gives numbers',
};

function Models({ start }: { start: Start }): Markup {
  const { models, draft } = start;
  const choose = (name: string) => () => {
    draft.value = { ...draft.value, model: name };
  };
  return html`<fieldset class="card models">
    <legend><h2>Model</h2></legend>
    ${models.value === undefined && start.trouble.value?.field !== 'model' && html`<p class="soft">Loading …</p>`}
    <div class="models-list">
      ${models.value?.map(
        ({ name, description, gives, example, takesStyle }) =>
          html`<label key=${name} class="model">
            <input type="radio" name="model" checked=${draft.value.model === name} onChange=${choose(name)} />
            ${example === null ? html`<span class="picture" aria-hidden="true"></span>` : html`<img class="picture" src=${example} alt="" loading="lazy" />`}
            <span class="about">
              <strong>${name}</strong>
              <span class="soft">${description || 'Its card does not describe it.'}</span>
              <span class="tags">
                ${gives !== null && html`<span class="tag">${GIVES[gives]}</span>`}
                ${takesStyle && html`<span class="tag">takes a style picture</span>`}
              </span>
            </span>
          </label>`,
      )}
    </div>
    <${Wrong} start=${start} field="model" />
  </fieldset>`;
}

function Style({ start, now, isNeeded }: { start: Start; now: number; isNeeded: boolean }): Markup {
  const file = start.style.value;
  const [url] = useUrls(file ? [file] : []);
  const changed = (event: Event) => start.chooseStyle(filesOf((event.currentTarget as HTMLInputElement).files));
  const drop = (event: DragEvent) => {
    event.preventDefault();
    if (event.dataTransfer) void filesIn(droppedIn(event.dataTransfer)).then(start.chooseStyle);
  };
  return html`<section class="card" aria-labelledby="style-title" onDrop=${drop}>
    <h2 id="style-title">Style picture</h2>
    <div class="row style">
      ${url === undefined ? html`<span class="picture" aria-hidden="true"></span>` : html`<img class="picture" src=${url} alt="" />`}
      <div>
        <p>
          ${file ? html`<strong>${file.name}</strong>` : isNeeded ? 'The model paints in the style of a picture.' : 'If the model has a style input, it needs a picture.'}
        </p>
        <label class="button"
          ><input type="file" accept="image/*" class="unseen" onChange=${changed} />Choose a picture</label
        >
      </div>
    </div>
    ${file && html`<${Sending} upload=${start.styleUpload.value} now=${now} what=${file.name} />`}
    <${Wrong} start=${start} field="style" />
  </section>`;
}

function Summary({ start, model }: { start: Start; model: ListedModel | undefined }): Markup {
  const { picked, plan, starting, upload, trouble } = start;
  const isBusy = starting.value !== 'no';
  const isSent = upload.value?.path !== undefined;
  const what = picked.value;
  const makes = what && model ? resultOf(what, model, makesVideo(what.kind, start.draft.value)) : undefined;
  return html`<aside class="card summary" aria-labelledby="summary-title">
    <h2 id="summary-title">What it takes</h2>
    ${makes !== undefined && html`<p>${makes}</p>`}
    <div aria-live="polite">
      ${plan.value === 'asking' && html`<p class="soft">Working it out …</p>`}
      ${plan.value === undefined && html`<p class="soft">${what && !isSent ? 'Known once the upload is done.' : what ? '' : 'Choose something first.'}</p>`}
      ${typeof plan.value === 'object' && html`<${Estimate} plan=${plan.value} />`}
    </div>
    ${trouble.value && trouble.value.field === undefined && html`<p class="trouble" role="alert">${trouble.value.message}</p>`}
    <button type="button" class="main go" disabled=${isBusy} onClick=${start.start}>
      ${starting.value === 'now' ? 'Starting …' : starting.value === 'waiting' ? 'Starts after the upload …' : 'Start the job'}
    </button>
  </aside>`;
}

function resultOf(picked: Picked, { gives, name }: ListedModel, asVideo: boolean): string {
  const what = picked.kind === 'video' ? picked.name : counted(picked.images.length, 'picture');
  if (gives === 'image' || gives === null) return `${what} with ${name}, as ${asVideo ? 'a video' : 'pictures'}.`;
  return `What ${name} says of ${what}, as a table.`;
}

function Estimate({ plan }: { plan: Exclude<Start['plan']['value'], string | undefined> }): Markup {
  const { items, batches, parallel, seconds, cost, basis, warnings } = plan;
  return html`<dl class="estimate">
      <div>
        <dt>Time</dt>
        <dd>${seconds ? range(seconds.low, seconds.high, duration) : 'not known'}</dd>
      </div>
      <div>
        <dt>Price</dt>
        <dd>${cost ? range(cost.low, cost.high, price) : 'not known'}</dd>
      </div>
    </dl>
    ${
      items !== null &&
      html`<p>
        ${`${counted(items, 'item')}${batches === null ? '' : ` in ${counted(batches, 'batch', 'batches')}`}, ${parallel} at a time`}
      </p>`
    }
    <p class="hint">${basis}${cost ? ` ${cost.sentence}` : ''}</p>
    ${warnings.map((warning) => html`<p key=${warning} class="warning">${warning}</p>`)}`;
}
