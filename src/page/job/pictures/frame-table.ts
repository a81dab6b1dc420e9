import { useSignal } from '@preact/signals';
import type { FileAnswer, JobStatus } from '../../../api/jobs.js';
import type { App } from '../../app.js';
import { html, type Markup } from '../../html.js';
import { useWork } from '../work.js';
import { Bars, type Said } from './gallery.js';
import { readRange } from './picture.js';

/** What a model said of a frame: a line of a video's `predictions.jsonl`. */
interface SaidOfFrame extends Said {
  frame: number;
  /** Seconds after the video starts. */
  time: number;
  file?: string;
  member?: string;
}

const PAGE = 50;
/** So much of the file is read for a page at first; of long lines more. */
const READ_BYTES = 64 * 1024;
const MOST_BYTES = 16 * 1024 * 1024;

/** The first lines of a part of a file that are there whole, at most so many, and how many bytes they take. @param isEnd whether the file ends with it. */
export function linesIn(part: Uint8Array, most: number, isEnd: boolean): { lines: string[]; bytes: number } {
  const lines: string[] = [];
  const text = new TextDecoder();
  let from = 0;
  while (lines.length < most && from < part.length) {
    const newline = part.indexOf(10, from);
    if (newline < 0 && !isEnd) break;
    const to = newline < 0 ? part.length : newline;
    if (to > from) lines.push(text.decode(part.subarray(from, to)));
    from = to + 1;
  }
  return { lines, bytes: Math.min(from, part.length) };
}

interface Page {
  said: SaidOfFrame[];
  /** Where the next one begins in the file; undefined at its end. */
  next: number | undefined;
}

async function readPage({ url, bytes }: FileAnswer, from: number, signal: AbortSignal): Promise<Page> {
  for (let count = READ_BYTES; ; count *= 4) {
    const isEnd = from + count >= bytes;
    const part = await readRange(url, from, Math.min(count, bytes - from), signal);
    const { lines, bytes: taken } = linesIn(part, PAGE, isEnd);
    if (lines.length < PAGE && !isEnd && count < MOST_BYTES) continue;
    const next = from + taken;
    const said = lines.map((line) => JSON.parse(line) as SaidOfFrame);
    return { said, next: next < bytes && taken > 0 ? next : undefined };
  }
}

/** What a model said of the frames of a video, some at a time. */
export function FrameTable({ app, job }: { app: App; job: JobStatus }): Markup {
  const { id, run, predictions } = job;
  /** Where the pages that were shown begin in the file, the one that is shown last. */
  const starts = useSignal([0]);
  const page = useSignal<Page | undefined>(undefined);
  const trouble = useSignal('');
  const from = starts.value.at(-1) ?? 0;
  useWork(
    async (signal) => {
      if (predictions === null) return;
      const file = await app.connection.get<FileAnswer>(`jobs/${encodeURIComponent(id)}/files/predictions`, signal);
      page.value = await readPage(file, from, signal);
      trouble.value = '';
    },
    [app, id, run, predictions, from],
    (sentence) => {
      trouble.value = sentence;
    },
  );
  if (predictions === null || (!page.value && trouble.value === '')) return null;
  const { said, next } = page.value ?? { said: [], next: undefined };
  const earlier = () => {
    starts.value = starts.value.slice(0, -1);
  };
  const later = () => {
    if (next !== undefined) starts.value = [...starts.value, next];
  };
  return html`<section class="card" aria-labelledby="frames">
    <div class="row spread">
      <h2 id="frames">What the model found</h2>
      ${
        (from > 0 || next !== undefined) &&
        html`<nav class="row" aria-label="Pages of frames">
          <button type="button" class="quiet" disabled=${from === 0} onClick=${earlier}>Earlier</button>
          <button type="button" class="quiet" disabled=${next === undefined} onClick=${later}>Later</button>
        </nav>`
      }
    </div>
    ${trouble.value !== '' && html`<p class="trouble" role="alert">${trouble.value}</p>`}
    <div class="found" tabindex="0" role="region" aria-label="Frames and what was found in them">
      <table>
        <thead>
          <tr>
            <th scope="col">Frame</th>
            <th scope="col">Time</th>
            <th scope="col">Found</th>
          </tr>
        </thead>
        <tbody>
          ${said.map(
            ({ frame, time, classes, detections, file, member }) =>
              html`<tr key=${frame}>
                <th scope="row">${frame}</th>
                <td>${time.toFixed(2)} s</td>
                <td>
                  ${
                    classes || detections
                      ? html`<${Bars} found=${classes ?? detections} />`
                      : [file, member].filter((name) => name !== undefined).join(' · ')
                  }
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
