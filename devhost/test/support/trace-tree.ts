import { readFileSync } from 'node:fs';
import type { Span } from '../../src/tracing/spans.js';

/** The spans in a file; each line must be one. */
export function readSpans(file: string): Span[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Span);
}

/** Spans without doubles: what was done again after a crash is reported again, with the same id. */
export function distinct(spans: readonly Span[]): Span[] {
  return [...new Map(spans.map((span) => [span.id, span])).values()];
}

/** A trace as nested names, siblings in the order of the alphabet; each span is named by its kind and name. Fails for a span that hangs nowhere. */
export function treeOf(spans: readonly Span[], root: string | undefined): unknown[] {
  const all = distinct(spans);
  const ids = new Set([root, ...all.map(({ id }) => id)]);
  const astray = all.filter(({ parentId }) => !ids.has(parentId));
  if (astray.length > 0) throw new Error(`Without a parent: ${astray.map(({ name }) => name).join(', ')}`);
  const below = (parent: string | undefined): unknown[] =>
    all
      .filter(({ parentId }) => parentId === parent)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ id, kind, name }) => {
        const children = below(id);
        return children.length > 0 ? [`${kind} ${name}`, children] : `${kind} ${name}`;
      });
  return below(root);
}
