import type { Answer } from './exchange.js';

/** One fact on which two answers disagree. */
export interface Difference {
  /** Name of the exchange. */
  exchange: string;
  /** Statuses of both answers. */
  statuses: { real: number; devhost: number };
  /** "status", "header NAME" or a path such as "body.historyEvents.0.Input". */
  part: string;
  real: unknown;
  devhost: unknown;
}

/** Headers of the connection and of the server's make say nothing about the API. */
const NOT_COMPARED = new Set(['date', 'server', 'connection', 'keep-alive', 'transfer-encoding', 'content-length']);
/** Stands for a member that is not there. */
export const ABSENT = '(absent)';

/** Compares an answer with the real host's, member by member; returns every difference and how many facts there were. */
export function compare(exchange: string, real: Answer, devhost: Answer): { facts: number; differences: Difference[] } {
  const wanted = factsOf(real);
  const found = factsOf(devhost);
  const parts = new Set([...wanted.keys(), ...found.keys()]);
  const differences: Difference[] = [];
  for (const part of parts) {
    const one = wanted.has(part) ? wanted.get(part) : ABSENT;
    const other = found.has(part) ? found.get(part) : ABSENT;
    const statuses = { real: real.status, devhost: devhost.status };
    if (one !== other) differences.push({ exchange, statuses, part, real: one, devhost: other });
  }
  return { facts: parts.size, differences };
}

function factsOf({ status, headers, body }: Answer): Map<string, unknown> {
  const facts = new Map<string, unknown>([['status', status]]);
  for (const [name, value] of Object.entries(headers))
    if (!NOT_COMPARED.has(name)) facts.set(`header ${name}`, value.trim());
  addFacts(facts, 'body', ordered(body));
  return facts;
}

function addFacts(facts: Map<string, unknown>, part: string, value: unknown): void {
  const members = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (members.length === 0) facts.set(part, typeof value === 'object' ? JSON.stringify(value) : value);
  for (const [name, member] of members) addFacts(facts, `${part}.${name}`, member);
}

/** Outcomes of parallel work come in any order, and so do the names of an app's functions in a sentence. */
function ordered(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/(?<=are the known \w+ functions: )[^.]*/, sortedNames);
  if (Array.isArray(value)) return value.map((each) => ordered(each));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === 'historyEvents' ? sortedEvents(member) : ordered(member),
    ]),
  );
}

const sortedNames = (names: string) => names.split(', ').toSorted().join(', ');

function sortedEvents(events: unknown): unknown {
  if (!Array.isArray(events)) return events;
  const key = (event: Record<string, unknown>) =>
    ['EventType', 'FunctionName', 'Name', 'Result', 'Reason']
      .map((name) => JSON.stringify(event[name] ?? ''))
      .join(' ');
  const sorted = events.slice(1, -1).toSorted((a, b) => key(a as never).localeCompare(key(b as never)));
  return [...events.slice(0, 1), ...sorted, ...events.slice(1).slice(-1)];
}

export function sentence({ exchange, part, real, devhost }: Difference): string {
  const short = (value: unknown) => (JSON.stringify(value) ?? 'undefined').slice(0, 300);
  return `${exchange}: ${part} is ${short(real)} there and ${short(devhost)} here`;
}
