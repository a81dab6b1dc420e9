import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { FileAnswer, JobStatus, Picture, PictureList } from '../../../api/jobs.js';
import type { App } from '../../app.js';
import { html, type Markup } from '../../html.js';
import { canShow, loadPicture, paint, readRange } from './picture.js';
import { useWork } from '../work.js';

const PAGE = 24;

interface Found {
  index: number;
  label?: string;
  score: number;
}
/** What a model said of an image: a line of `predictions.jsonl`. */
export interface Said {
  item?: string;
  classes?: Found[];
  detections?: (Found & { box: number[] })[];
}

/** What became of a folder of images, some at a time: pictures, and what the model said of them. */
export function Gallery({ app, job }: { app: App; job: JobStatus }): Markup {
  const page = useSignal(0);
  const pictures = useSignal<Picture[] | undefined>(undefined);
  const trouble = useSignal('');
  const { id, run } = job;
  const { total } = job.items;
  const said = usePredictions(app, job);
  useWork(
    async (signal) => {
      const first = page.value * PAGE;
      const items = Array.from({ length: Math.min(PAGE, total - first) }, (_, k) => first + k);
      if (items.length === 0) return;
      const path = `jobs/${encodeURIComponent(id)}/pictures?at=${items.join()}`;
      pictures.value = (await app.connection.get<PictureList>(path, signal)).pictures;
      trouble.value = '';
    },
    [app, id, run, total, page.value, job.state],
    (sentence) => {
      trouble.value = sentence;
    },
  );
  if (total === 0 || !pictures.value)
    return trouble.value === '' ? null : html`<p class="trouble">${trouble.value}</p>`;
  const pages = Math.ceil(total / PAGE);
  const turn = (by: number) => () => {
    page.value = Math.min(pages - 1, Math.max(0, page.value + by));
  };
  return html`<section class="card" aria-labelledby="gallery">
    <div class="row spread">
      <h2 id="gallery">Images</h2>
      ${
        pages > 1 &&
        html`<nav class="row" aria-label="Pages of images">
          <button type="button" class="quiet" disabled=${page.value === 0} onClick=${turn(-1)}>Earlier</button>
          <span>${page.value + 1} of ${pages.toLocaleString('en')}</span>
          <button type="button" class="quiet" disabled=${page.value === pages - 1} onClick=${turn(1)}>Later</button>
        </nav>`
      }
    </div>
    ${trouble.value !== '' && html`<p class="trouble" role="alert">${trouble.value}</p>`}
    <ul class="gallery">
      ${pictures.value.map(
        (picture) => html`<${Entry} key=${picture.item} picture=${picture} said=${said.get(picture.name)} />`,
      )}
    </ul>
  </section>`;
}

function Entry({ picture, said }: { picture: Picture; said: Said | undefined }): Markup {
  const { name, source, scored } = picture;
  const showsScored = useSignal(true);
  const isMask = said !== undefined && !said.classes && !said.detections && scored?.format === 'png';
  const isPicture = scored !== null && canShow(scored.format) && !isMask;
  const shown = isPicture && showsScored.value ? scored : source;
  return html`<li>
    <div class="shown">
      ${
        shown && canShow(shown.format)
          ? html`<${Shown}
              key=${shown.url}
              stored=${shown}
              alt=${`${name}, ${shown === source ? 'as it came' : 'scored'}`}
            />`
          : html`<p class="soft">${source === null ? 'The image is gone.' : 'A browser cannot show this kind.'}</p>`
      }
      ${said?.detections && html`<${Boxes} detections=${said.detections} stored=${source} />`}
      ${isMask && scored && html`<${MaskOver} stored=${scored} />`}
    </div>
    <p class="name">${name}</p>
    ${
      isPicture &&
      source &&
      html`<label class="check"
        ><input
          type="checkbox"
          checked=${!showsScored.value}
          onChange=${() => {
            showsScored.value = !showsScored.value;
          }}
        />
        as it came</label
      >`
    }
    ${said?.classes && html`<${Bars} found=${said.classes} />`}
    ${said?.detections && html`<${Bars} found=${said.detections} />`}
  </li>`;
}

/** A picture: by its own URL where the browser can read it there, else drawn. */
function Shown({ stored, alt }: { stored: NonNullable<Picture['source']>; alt: string }): Markup {
  const canvas = useRef<HTMLCanvasElement>(null);
  const isLost = useSignal(false);
  const lose = () => {
    isLost.value = true;
  };
  const isDrawn = stored.member !== null || stored.format === 'ppm';
  useWork(
    async (signal) => {
      if (!isDrawn) return;
      const picture = await loadPicture(stored, signal);
      if (canvas.current) paint(canvas.current, picture);
    },
    [stored.url],
    lose,
  );
  if (isLost.value) return html`<p class="soft">This picture cannot be shown.</p>`;
  if (isDrawn) return html`<canvas ref=${canvas} role="img" aria-label=${alt} />`;
  return html`<img src=${stored.url} alt=${alt} loading="lazy" decoding="async" onError=${lose} />`;
}

/** Boxes over a picture, in its own pixels. */
function Boxes({
  detections,
  stored,
}: {
  detections: NonNullable<Said['detections']>;
  stored: Picture['source'];
}): Markup {
  const sized = useSignal<{ width: number; height: number } | undefined>(undefined);
  useEffect(() => {
    if (!stored) return undefined;
    const picture = new Image();
    picture.addEventListener('load', () => {
      sized.value = { width: picture.naturalWidth, height: picture.naturalHeight };
    });
    picture.src = stored.url;
    return undefined;
  }, [stored?.url]);
  if (!sized.value) return null;
  const { width, height } = sized.value;
  return html`<svg class="over" viewBox=${`0 0 ${width} ${height}`} aria-hidden="true">
    ${detections.map(({ box: [left = 0, top = 0, right = 0, bottom = 0], index, label }, k) => {
      const tone = `tone-${index % 6}`;
      const letter = Math.max(10, width / 28);
      return html`<g key=${k} class=${tone}>
        <rect class="box" x=${left} y=${top} width=${Math.max(0, right - left)} height=${Math.max(0, bottom - top)} />
        <text x=${left + letter / 4} y=${Math.max(letter, top - letter / 4)} font-size=${letter}
          >${label ?? index}</text
        >
      </g>`;
    })}
  </svg>`;
}

/** A mask over its picture: each of its values in a colour of its own. */
function MaskOver({ stored }: { stored: NonNullable<Picture['scored']> }): Markup {
  const canvas = useRef<HTMLCanvasElement>(null);
  useWork(
    async (signal) => {
      const mask = await loadPicture(stored, signal);
      const { current } = canvas;
      const context = current?.getContext('2d', { willReadFrequently: true });
      if (!current || !context) return;
      paint(current, mask);
      const pixels = context.getImageData(0, 0, mask.width, mask.height);
      const { data } = pixels;
      for (let at = 0; at < data.length; at += 4) {
        const value = data[at] ?? 0;
        const [red, green, blue] = TONES[value === 255 ? 0 : value % TONES.length] ?? TONES[0];
        [data[at], data[at + 1], data[at + 2], data[at + 3]] = [red, green, blue, value === 0 ? 0 : 150];
      }
      context.putImageData(pixels, 0, 0);
    },
    [stored.url],
  );
  return html`<canvas class="over" ref=${canvas} aria-hidden="true" />`;
}

const TONES: [[number, number, number], ...[number, number, number][]] = [
  [230, 75, 53],
  [0, 114, 178],
  [0, 158, 115],
  [204, 121, 167],
  [240, 228, 66],
  [86, 180, 233],
];

const MOST_BARS = 5;

/** What was found, the surest first. */
export function Bars({ found }: { found: Found[] }): Markup {
  if (found.length === 0) return html`<p class="soft">Nothing was found.</p>`;
  return html`<table class="bars">
    <caption class="unseen">
      What the model found
    </caption>
    <thead class="unseen">
      <tr>
        <th scope="col">Label</th>
        <th scope="col">Score</th>
      </tr>
    </thead>
    <tbody>
      ${found.slice(0, MOST_BARS).map(
        ({ index, label, score }, k) =>
          html`<tr key=${k}>
            <th scope="row">${label ?? `class ${index}`}</th>
            <td>
              <meter
                min="0"
                max="1"
                value=${Math.min(1, Math.max(0, score))}
                aria-label="Score of ${label ?? index}"
              ></meter>
              ${(score * 100).toFixed(score < 0.1 ? 1 : 0)} %
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** Of a large file so much is read. */
const MOST_BYTES = 2_000_000;

/** What the model said, by the names of the images; of very many the first ones. */
function usePredictions(app: App, { id, state, predictions }: JobStatus): Map<string, Said> {
  const said = useSignal(new Map<string, Said>());
  useWork(
    async (signal) => {
      if (state !== 'done' || predictions === null) return;
      const file = await app.connection.get<FileAnswer>(`jobs/${encodeURIComponent(id)}/files/predictions`, signal);
      const bytes = await readRange(file.url, 0, Math.min(file.bytes, MOST_BYTES), signal);
      const lines = new TextDecoder().decode(bytes).split('\n');
      if (file.bytes > MOST_BYTES) lines.pop();
      const all = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Said);
      said.value = new Map(all.map((each) => [each.item ?? '', each]));
    },
    [app, id, state, predictions],
  );
  return said.value;
}
