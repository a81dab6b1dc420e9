import { beforeAll, describe, expect, test } from 'vitest';
import { problemsOf, resultOf } from '../../support/kusto.js';
import { askingIn, parametersOf, QUERIES, queryOf, readMonitoring, type Workbook } from '../../support/monitoring.js';
import { recordJobs, type Recorded, rowOf, toTables } from '../../support/recorded-jobs.js';

const workbook = JSON.parse(readMonitoring('workbook.json')) as Workbook;
const parameters = parametersOf(workbook);
const asking = askingIn(workbook);

let recorded: Recorded;
beforeAll(async () => {
  recorded = toTables((await recordJobs()).map(rowOf));
  // The first query takes the longest by far.
  resultOf(queryOf('job-timeline'));
});

describe('the queries', () => {
  test.each([...QUERIES])('%s asks only for what exists and for what the app tells', (_, text) => {
    expect(problemsOf(text, recorded)).toEqual([]);
  });

  test.each([
    ['an event that nobody tells', 'job-failed', "'job.ended'", "'job.finished'"],
    ['a dimension that the event lacks', 'job-failed', 'customDimensions.model', 'customDimensions.modelName'],
    ['a dimension of another event', 'container-swept', 'customDimensions.message', 'customDimensions.watchEnd'],
    ['a measurement that the event lacks', 'ended-jobs', 'customMeasurements.items', 'customMeasurements.frames'],
    ['a value that the dimension never has', 'attempt-stalled', "== 'stalled'", "== 'stuck'"],
    ['a span that nobody tells', 'time-by-phase', "'modelLoaded'", "'modelRead'"],
    ['a table that does not exist', 'running-jobs', 'customEvents', 'customEvent'],
    ['a column that does not exist', 'job-timeline', 'operation_ParentId', 'parentId'],
    ['a column that an earlier step left out', 'slowest-batches', 'top 50 by seconds', 'top 50 by containerSeconds'],
    ['a function that does not exist', 'failures-by-blame', 'dcount(', 'countDistinct('],
    ['what is no query', 'ended-jobs', '| project', '| projekt'],
    [
      'a dimension by a name that is worked out',
      'container-swept',
      'customDimensions.job',
      "customDimensions[strcat('j', 'ob')]",
    ],
    ['a part of a name', 'container-swept', "== 'container.swept'", "startswith 'contaner'"],
    ['text where a number is due', 'message-poisoned', 'message has', 'severityLevel has'],
  ])('are refused for %s', (_, name, right, wrong) => {
    expect(queryOf(name)).toContain(right);
    expect(problemsOf(queryOf(name).replace(right, wrong), recorded)).not.toEqual([]);
  });

  test('are refused for a dimension of something that is no table', () => {
    const query = 'let told = customEvents; told | project tostring(customDimensions.job)';
    expect(problemsOf(query, recorded)).toEqual([expect.stringContaining('begins with a table')]);
  });

  test('notice an event, a dimension or a measurement that the app renames', async () => {
    const records = await recordJobs();
    const renamed = JSON.stringify(records)
      .replaceAll('"container.swept"', '"container.removed"')
      .replaceAll('"blame"', '"guilty"')
      .replaceAll('"containerSeconds"', '"seconds"');
    const told = toTables((JSON.parse(renamed) as typeof records).map(rowOf));
    for (const name of ['container-swept', 'failures-by-blame', 'cost-per-1000-items'])
      expect(problemsOf(queryOf(name), told), name).not.toEqual([]);
  });

  test('can each be pasted into Logs in one piece', () => {
    for (const text of QUERIES.values()) expect(text).not.toMatch(/\n\s*\n/);
  });

  test('count what was told twice only once, wherever they count events or spans', () => {
    for (const [name, text] of QUERIES) {
      if (name === 'job-ids' || name === 'message-poisoned') continue;
      expect(text, name).toMatch(/summarize arg_min\(timestamp, \*\) by id\b/);
    }
  });
});

describe('the workbook', () => {
  test('asks the queries of queries.kql, each by its name', () => {
    const names = asking.map(({ query = '' }) => /^\{\{([\w-]+)\}\}$/.exec(query)?.[1] ?? query);
    expect(names.toSorted()).toEqual([...QUERIES.keys()].toSorted());
  });

  test('is one that Azure reads: known kinds of items, each with a name of its own, in the format of its kind', () => {
    const versions: Record<number, string | undefined> = { 1: undefined, 3: 'KqlItem/1.0', 9: 'KqlParameterItem/1.0' };
    expect(workbook.version).toBe('Notebook/1.0');
    for (const { type, content } of workbook.items) {
      expect(Object.keys(versions)).toContain(String(type));
      expect(content.version).toBe(versions[type]);
    }
    const names = workbook.items.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('asks the component for the chosen time, and for the chosen job', () => {
    const known = parameters.map(({ name }) => name);
    for (const { queryType, resourceType, timeContextFromParameter } of asking)
      expect({ queryType, resourceType, timeContextFromParameter }).toEqual({
        queryType: 0,
        resourceType: 'microsoft.insights/components',
        timeContextFromParameter: 'TimeRange',
      });
    const shown = workbook.items.map(({ content, conditionalVisibility }) => ({ content, conditionalVisibility }));
    const used = [
      ...JSON.stringify(shown).matchAll(/(?<!\{)\{(\w+)\}(?!\})/g),
      ...queryOf('job-timeline').matchAll(/\{(\w+)\}/g),
    ];
    expect(known).toEqual(expect.arrayContaining(['TimeRange', ...used.map(([, name]) => name)]));
  });
});

describe('the queries of alert rules', () => {
  const rules = [...readMonitoring('main.bicep').matchAll(/query: '([\w-]+)'[\s\S]*?splitBy: \['(\w+)'\]/g)];

  test.each(rules.map(([, name = '', column = '']) => [name, column]))(
    '%s gives a time and %s to tell alerts apart',
    (name, column) => {
      expect(resultOf(queryOf(name))).toMatchObject({ timestamp: 'datetime', [column]: 'string' });
    },
  );

  test('are those for a failed job, a stalled attempt, a leaked container and a poisoned message', () => {
    expect(rules.map(([, name]) => name)).toEqual([
      'job-failed',
      'attempt-stalled',
      'container-swept',
      'message-poisoned',
    ]);
  });
});
