import type { BatchRow, JobStatus } from '../../api/jobs.js';
import { html, type Markup } from '../html.js';
import { hrefOf } from '../route.js';
import { counted } from '../words.js';

type Blame = 'user' | 'item' | 'platform' | 'attempt';

/** Failures that are said alike. */
export interface FailureGroup {
  blame: Blame;
  /** What the first of them says. */
  message: string;
  count: number;
  /** In which it happened, each once. */
  batches: number[];
}

const ORDER: Blame[] = ['user', 'item', 'attempt', 'platform'];

/** Groups the attempts that did not end well by whose failure it is and what they say, numbers aside; the most frequent come first. */
export function groupFailures(rows: BatchRow[]): FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  const add = (blame: Blame, message: string, batch: number, count = 1) => {
    const key = `${blame} ${message.replace(/\d+/g, '#')}`;
    const group = groups.get(key) ?? { blame, message, count: 0, batches: [] };
    groups.set(key, group);
    group.count += count;
    if (!group.batches.includes(batch)) group.batches.push(batch);
  };
  for (const { batch, attempts, failed, message } of rows) {
    for (const { end, blame, message: why } of attempts) if (end === 'failed' && blame !== null) add(blame, why, batch);
    if (failed > 0 && !attempts.some(({ end, message: why }) => end === 'failed' && why === message))
      add('item', message === '' ? 'it could not be scored' : message, batch, failed);
  }
  return [...groups.values()].toSorted(
    (one, other) => ORDER.indexOf(one.blame) - ORDER.indexOf(other.blame) || other.count - one.count,
  );
}

const WORDS: Record<Blame, { title: string; meaning: string; one: string }> = {
  user: {
    title: 'To be changed by you',
    meaning: 'It comes again until somebody changes what the sentence says.',
    one: 'container run',
  },
  item: { title: 'Single items', meaning: 'These have no output; the others are not concerned.', one: 'item' },
  attempt: { title: 'Container runs', meaning: 'Each counts against the attempts of its batch.', one: 'container run' },
  platform: {
    title: 'The platform',
    meaning: 'Waited out and tried again; nothing is charged for it.',
    one: 'container run',
  },
};

const MOST_LINKS = 8;

/** What went wrong, by whose failure it is. */
export function Failures({ job, rows }: { job: JobStatus; rows: BatchRow[] }): Markup {
  const groups = groupFailures(rows);
  if (groups.length === 0) return null;
  return html`<section class="card failures" aria-labelledby="failures">
    <h2 id="failures">What went wrong</h2>
    ${ORDER.filter((blame) => groups.some((group) => group.blame === blame)).map(
      (blame) =>
        html`<div key=${blame} class="blame ${blame}">
          <h3>${WORDS[blame].title}</h3>
          <p class="hint">${WORDS[blame].meaning}</p>
          <ul>
            ${groups
              .filter((group) => group.blame === blame)
              .map(
                ({ message, count, batches }) =>
                  html`<li key=${message}>
                    <q>${message}</q>
                    <span class="soft">
                      ${counted(count, WORDS[blame].one)}, in ${' '}
                      ${batches
                        .slice(0, MOST_LINKS)
                        .map(
                          (batch, k) =>
                            html`${k > 0 && ', '}<a href=${hrefOf({ view: 'job', id: job.id, batch })}
                                >batch ${batch}</a
                              >`,
                        )}
                      ${batches.length > MOST_LINKS && ` and ${batches.length - MOST_LINKS} more`}
                    </span>
                  </li>`,
              )}
          </ul>
        </div>`,
    )}
  </section>`;
}
