import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { renderPage } from '../../../src/cli/trace/html.js';
import type { TimelineData } from '../../../src/cli/trace/page/timeline.js';
import { buildTrace } from '../../../src/cli/trace/tree.js';
import type { TelemetryRecord } from '../../../src/telemetry/records.js';
import { jobRecords } from '../../support/trace.js';

const PARTS = { script: 'console.log("</p>");\n', style: 'p > b { color: red }\n' };
const pageOf = (records: TelemetryRecord[], parts = PARTS) => {
  const trace = buildTrace(records, 0);
  if (!trace) throw new Error('There is no trace.');
  return renderPage(trace, parts);
};
const dataOf = (page: string) =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? '') as TimelineData;
const sha = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

describe('the page of a trace', () => {
  const page = pageOf(jobRecords({ lanes: 2, batches: 2 }));

  test('allows its own script and style, and nothing else', () => {
    const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]*)"/
      .exec(page)?.[1]
      ?.replaceAll('&#39;', "'");
    expect(policy).toBe(
      `default-src 'none'; script-src ${sha(PARTS.script)}; style-src ${sha(PARTS.style)}; base-uri 'none'; form-action 'none'`,
    );
    expect(page).toContain(`<script type="module">${PARTS.script}</script>`);
    expect(page).toContain(`<style>${PARTS.style}</style>`);
  });

  test('names nothing outside of itself', () => {
    expect(page).not.toMatch(/\b(src|href|srcset)=|url\(|@import|https?:/);
    expect(page).not.toMatch(/\sstyle=|\son\w+=/);
  });

  test('holds every span below the one that holds it, with its times', () => {
    const { rows, texts, length } = dataOf(page);
    expect(length).toBe(12_000);
    expect(rows.every(([parent], index) => parent < index)).toBe(true);
    const row = rows.find(([, , , label]) => texts[label] === 'attempt 1 of batch 3');
    expect(row && [row[6], row[7]]).toEqual([6100, 3300]);
    expect(texts[rows[row?.[0] ?? 0]?.[3] ?? 0]).toBe('scoreBatch 3');
  });

  test('shows names as text, whatever they are', () => {
    const evil = '</script><script>alert(1)</script><img src=x onerror=alert(1)> "quoted" &amp; \u2028';
    const records = jobRecords({ lanes: 1, batches: 1, model: evil }).map((record) =>
      record.name === 'activity:splitVideo' ? { ...record, name: `activity:${evil}` } : record,
    );
    const odd = pageOf(records);
    expect(odd).not.toContain('<script>alert');
    expect(odd).not.toContain('<img');
    const { texts } = dataOf(odd);
    expect(texts).toContain(evil);
  });

  test('has the tables of the summary, for those who see no timeline', () => {
    expect(page).toMatch(/<caption>[^<]*steps/i);
    expect(page).toMatch(/<th scope="row">stitchVideo<\/th>/);
  });

  test('takes about a hundred bytes a span', () => {
    const large = pageOf(jobRecords({ lanes: 4, batches: 25 }));
    const { rows } = dataOf(large);
    expect(rows.length).toBeGreaterThan(1000);
    expect(large.length / rows.length).toBeLessThan(120);
  });
});
