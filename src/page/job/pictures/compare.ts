import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { JobStatus, Picture, PictureList } from '../../../api/jobs.js';
import type { App } from '../../app.js';
import { html, type Markup } from '../../html.js';
import { canShow, loadPicture, paint } from './picture.js';
import { useSteps } from '../work.js';

/** Canvases need no more pixels than screens have. */
const MOST_WIDTH = 1600;
/** A frame may have many megabytes. */
const PAUSE_MS = 5000;

interface Pair {
  picture: Picture;
  before: ImageBitmap | undefined;
  after: ImageBitmap;
}

/** The newest picture before and after, while a job scores. */
export function Newest({ app, job }: { app: App; job: JobStatus }): Markup {
  const pair = useSignal<Pair | undefined>(undefined);
  const trouble = useSignal('');
  const isHeld = useSignal(false);
  const { id, items } = job;
  const done = useRef(0);
  done.current = items.done;
  const seen = useRef(-1);
  useSteps(
    app,
    async (signal) => {
      const pause = pair.value ? PAUSE_MS : 1000;
      if (isHeld.value || !app.clock.isVisible() || done.current === seen.current || done.current === 0) return pause;
      const path = `jobs/${encodeURIComponent(id)}/pictures?newest=1`;
      const { pictures } = await app.connection.get<PictureList>(path, signal);
      const [picture] = pictures;
      seen.current = done.current;
      if (!picture?.scored || picture.item === pair.value?.picture.item || !canShow(picture.scored.format))
        return pause;
      const [after, before] = await Promise.all([
        loadPicture(picture.scored, signal),
        picture.source ? loadPicture(picture.source, signal).catch(() => undefined) : undefined,
      ]);
      if (!signal.aborted) pair.value = { picture, after, before };
      trouble.value = '';
      return PAUSE_MS;
    },
    [id, job.run],
    (sentence) => {
      trouble.value = sentence;
    },
  );
  if (!pair.value) return null;
  const { picture, before, after } = pair.value;
  return html`<section class="card newest" aria-labelledby="newest">
    <div class="row spread">
      <h2 id="newest">${job.spec?.input.images === undefined ? `Frame ${picture.item}` : picture.name}, scored last</h2>
      <label class="check">
        <input
          type="checkbox"
          checked=${isHeld.value}
          onChange=${() => {
            isHeld.value = !isHeld.value;
          }}
        />
        Stay at this one
      </label>
    </div>
    ${trouble.value !== '' && html`<p class="hint" role="status">${trouble.value}</p>`}
    <${Compare} before=${before} after=${after} what=${`item ${picture.item}`} />
  </section>`;
}

/** Two pictures, one over the other, of which a slider shows more or less. */
export function Compare({
  before,
  after,
  what,
}: {
  before: ImageBitmap | undefined;
  after: ImageBitmap;
  what: string;
}): Markup {
  const share = useSignal(50);
  const [over, under] = [useRef<HTMLCanvasElement>(null), useRef<HTMLCanvasElement>(null)];
  useEffect(() => {
    if (under.current) paint(under.current, after, MOST_WIDTH);
    if (over.current && before) paint(over.current, before, MOST_WIDTH);
  }, [before, after]);
  if (!before)
    return html`<div class="compare"><canvas ref=${under} role="img" aria-label="The result of ${what}" /></div>`;
  return html`<div class="compare" style=${{ '--share': `${share.value}%` }}>
    <canvas ref=${under} role="img" aria-label="The result of ${what}" />
    <canvas ref=${over} class="over" role="img" aria-label="The source of ${what}" />
    <span class="edge" aria-hidden="true"></span>
    <span class="tag before" aria-hidden="true">before</span>
    <span class="tag after" aria-hidden="true">after</span>
    <input
      type="range"
      min="0"
      max="100"
      step="1"
      value=${share.value}
      aria-label="How much of the picture is shown as it was before"
      aria-valuetext=${`${share.value} % before, ${100 - share.value} % after`}
      onInput=${(event: Event) => {
        share.value = Number((event.currentTarget as HTMLInputElement).value);
      }}
    />
  </div>`;
}

const CELLS = 12;
const CELL_WIDTH = 320;
/** All pictures of a sheet together take no more than this. */
const MOST_BYTES = 120e6;

/** Pictures from all over a video, which come as they are scored. */
export function GrowingSheet({ app, job }: { app: App; job: JobStatus }): Markup {
  const cells = useSignal(new Map<number, ImageBitmap>());
  const { id, run } = job;
  const { total } = job.items;
  const wanted = useRef(job);
  wanted.current = job;
  const bytes = useRef(0);
  useEffect(() => {
    cells.value = new Map();
    bytes.current = 0;
  }, [id, run, total]);
  useSteps(
    app,
    async (signal) => {
      const { items, stage } = wanted.current;
      const missing = cellsOf(total).filter((item) => !cells.value.has(item));
      if (missing.length === 0 || bytes.current > MOST_BYTES) return undefined;
      if (!app.clock.isVisible() || (stage === 'score' && items.done < total / CELLS / 2)) return PAUSE_MS;
      const path = `jobs/${encodeURIComponent(id)}/pictures?at=${missing.join()}`;
      const { pictures } = await app.connection.get<PictureList>(path, signal);
      for (const { item, scored } of pictures) {
        if (!scored || !canShow(scored.format)) continue;
        const picture = await loadPicture(scored, signal);
        bytes.current += 3 * picture.width * picture.height;
        cells.value = new Map(cells.value).set(item, await small(picture));
        picture.close();
        if (bytes.current > MOST_BYTES) break;
      }
      return PAUSE_MS;
    },
    [id, run, total],
  );
  if (cells.value.size === 0) return null;
  return html`<section class="card" aria-labelledby="sheet">
    <h2 id="sheet">So far</h2>
    <div class="sheet" role="list" aria-label="Frames from all over the video">
      ${cellsOf(total).map((item) => html`<${Cell} key=${item} item=${item} picture=${cells.value.get(item)} />`)}
    </div>
  </section>`;
}

const small = (picture: ImageBitmap) =>
  createImageBitmap(picture, {
    resizeWidth: Math.min(CELL_WIDTH, picture.width),
    resizeHeight: Math.max(1, Math.round((Math.min(CELL_WIDTH, picture.width) * picture.height) / picture.width)),
    resizeQuality: 'medium',
  });

/** Items that are spread evenly, each in the middle of its part. */
export const cellsOf = (total: number): number[] => [
  ...new Set(Array.from({ length: CELLS }, (_, k) => Math.floor(((k + 0.5) * total) / CELLS))),
];

function Cell({ item, picture }: { item: number; picture: ImageBitmap | undefined }): Markup {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current && picture) paint(canvas.current, picture);
  }, [picture]);
  if (!picture) return html`<div role="listitem" class="cell empty" aria-label="Frame ${item}, to come"></div>`;
  return html`<div role="listitem" class="cell">
    <canvas ref=${canvas} role="img" aria-label="Frame ${item}" />
    <span class="number" aria-hidden="true">${item}</span>
  </div>`;
}
