import os from 'node:os';
import { hideSecrets, messageOf } from '../job/failure.js';

/** `warn`: jobs run, but something is slower or tighter than it might be. `fail`: something that is set up or needed does not work. */
export type CheckState = 'ok' | 'warn' | 'fail';

export interface Check {
  /** What was looked at. */
  about: string;
  state: CheckState;
  found: string;
  /** What to do, of one that is not `ok`. */
  help?: string;
}

export interface Group {
  title: string;
  checks: Check[];
}

export const ok = (about: string, found: string): Check => ({ about, state: 'ok', found });
export const warn = (about: string, found: string, help: string): Check => ({ about, state: 'warn', found, help });
export const fail = (about: string, found: string, help: string): Check => ({ about, state: 'fail', found, help });

/** Longer than the SDKs repeat a request that gets no answer. */
const PATIENCE_MS = 30_000;

/** Runs a check that may fail or hang; what it throws is a sentence that says what to do. */
export async function attempt(
  about: string,
  work: () => Promise<Check | Check[]>,
  patienceMs = PATIENCE_MS,
): Promise<Check[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Check>((resolve) => {
    const found = `no answer within ${patienceMs / 1000} s`;
    timer = setTimeout(() => resolve(fail(about, found, 'Look whether a network or a program hangs.')), patienceMs);
  });
  try {
    return [await Promise.race([work(), late])].flat();
  } catch (error) {
    return [{ about, state: 'fail', found: messageOf(error) }];
  } finally {
    clearTimeout(timer);
  }
}

/** Whom and what a report is not to tell. */
export interface Private {
  home: string;
  user: string;
  host: string;
}

export function whoIsHere(): Private {
  let user = '';
  try {
    user = os.userInfo().username;
  } catch {
    // The user of a container may have no name.
  }
  return { home: os.homedir(), user, host: os.hostname() };
}

const UUID = /\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b/gi;
const MADE_UP = '00000000-0000-0000-0000-000000000000';
const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The text without secrets, the user's name and home, the machine's name, and the numbers of subscriptions and identities. */
export function withoutPrivate(text: string, { home, user, host }: Private): string {
  let said = hideSecrets(text);
  if (home.length > 1) said = said.replaceAll(home, '~');
  for (const [name, instead] of [
    [user, 'USER'],
    [host, 'HOST'],
  ] as const)
    if (name.length > 1 && name !== 'localhost')
      said = said.replaceAll(new RegExp(`(?<![\\w.-])${escaped(name)}(?![\\w-])`, 'g'), instead);
  return said.replaceAll(UUID, (id) => (id === MADE_UP ? id : 'UUID'));
}

export function cleanGroups(groups: Group[], who: Private): Group[] {
  const clean = (text: string) => withoutPrivate(text, who).replaceAll(/\s*\n\s*/g, ' ');
  return groups.map(({ title, checks }) => ({
    title,
    checks: checks.map(({ about, state, found, help }) => ({
      about,
      state,
      found: clean(found),
      ...(help !== undefined && { help: clean(help) }),
    })),
  }));
}

/** The report as Markdown that reads well in a terminal, too. */
export function renderReport(title: string, groups: Group[]): string {
  const width = Math.max(0, ...groups.flatMap(({ checks }) => checks.map(({ about }) => about.length)));
  const lines = groups
    .filter(({ checks }) => checks.length > 0)
    .flatMap((group) => ['', `## ${group.title}`, '', ...group.checks.map((check) => line(check, width))]);
  const all = groups.flatMap(({ checks }) => checks);
  const count = (wanted: CheckState) => all.filter(({ state }) => state === wanted).length;
  const [failed, warned] = [count('fail'), count('warn')];
  const words = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(warned > 0 ? [`${warned} to look at`] : []),
    `${count('ok')} fine`,
  ];
  return [`# ${title}`, ...lines, '', `${words.join(', ')}.`].join('\n');
}

const line = ({ about, state, found, help }: Check, width: number) =>
  `- ${state.padEnd(4)} ${about.padEnd(width)}  ${found}${help === undefined ? '' : `${found.endsWith('.') ? '' : '.'} ${help}`}`;
