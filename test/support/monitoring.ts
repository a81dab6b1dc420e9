import { readFileSync } from 'node:fs';
import path from 'node:path';

export const MONITORING = path.resolve(import.meta.dirname, '../../infra/monitoring');
export const readMonitoring = (name: string) => readFileSync(path.join(MONITORING, name), 'utf8');

/** Text of each query by the name in its heading, as main.bicep takes the file apart. */
export const QUERIES = new Map(
  readMonitoring('queries.kql')
    .split('\n// ## ')
    .slice(1)
    .map((section) => [section.split(':')[0] ?? '', section.slice(section.indexOf('\n')).trim()]),
);
export const queryOf = (name: string) => QUERIES.get(name) ?? '';

export interface Workbook {
  version: string;
  items: Item[];
  /** Where it asks when it is opened by a link. */
  fallbackResourceIds: string[];
}

interface Item {
  type: number;
  name: string;
  conditionalVisibility?: { parameterName: string };
  content: Asking & { version?: string; json?: string; title?: string; parameters?: (Asking & { name: string })[] };
}

interface Asking {
  query?: string;
  queryType?: number;
  resourceType?: string;
  timeContextFromParameter?: string;
}

export const parametersOf = (workbook: Workbook) => workbook.items.flatMap(({ content }) => content.parameters ?? []);

/** Everything in a workbook that asks a query. */
export const askingIn = (workbook: Workbook) =>
  [...workbook.items.map(({ content }) => content), ...parametersOf(workbook)].filter(
    ({ query }) => query !== undefined,
  );
