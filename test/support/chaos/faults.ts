import type { Fault, Mishap } from '../../../azure-emulator/src/faults.js';

export type Kind = 'aci' | 'container-apps';

/** A repeatable source of numbers from 0 to 1 (mulberry32), a different one for every text. */
export function randomOf(text: string): () => number {
  let state = 2_166_136_261;
  for (const character of text) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 16_777_619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const pick = <T>(random: () => number, values: readonly T[]): T => {
  const value = values[Math.floor(random() * values.length)];
  if (value === undefined) throw new Error('There is nothing to pick from.');
  return value;
};

const CAPACITY = 'The requested resource is not available in the location at this moment.';
const throttled = { status: 429, code: 'TooManyRequests' };
const away = { status: 503, code: 'ServerBusy' };

const ACI: Fault[] = [
  { on: 'PUT', status: 409, code: 'ServiceUnavailable', message: CAPACITY, times: 2 },
  { on: 'PUT', ...throttled, times: 3 },
  { on: 'PUT', ...throttled, retryAfter: 1 },
  { on: 'PUT', status: 500, code: 'InternalServerError' },
  { on: 'PUT', cut: true },
  { on: 'PUT', cut: 'silent' },
  { on: 'GET', ...away, times: 2 },
  { on: 'GET', ...throttled, times: 3 },
  { on: 'GET', cut: true, times: 2 },
  { on: 'GET', cut: 'silent' },
  { on: 'DELETE', cut: true },
  { on: 'DELETE', ...away },
  { on: 'DELETE', status: 409, code: 'ContainerGroupTransitioning' },
  { on: 'LOGS', status: 409, code: 'ContainerGroupTransitioning' },
  { on: 'LOGS', ...away },
  { on: 'GROUP', fate: 'no-capacity' },
  { on: 'GROUP', fate: 'never-starts' },
  { on: 'GROUP', fate: 'slow-pull' },
];

const APPS: Fault[] = [
  { on: 'START', status: 409, code: 'ContainerAppOperationInProgress' },
  { on: 'START', ...throttled, times: 3 },
  { on: 'START', ...throttled, retryAfter: 1 },
  { on: 'START', ...away },
  { on: 'START', cut: true },
  { on: 'START', cut: 'silent' },
  { on: 'LOOK', ...away, times: 2 },
  { on: 'LOOK', cut: true, times: 2 },
  { on: 'LOOK', cut: 'silent' },
  { on: 'STOP', cut: true },
  { on: 'STOP', ...away },
  { on: 'EXECUTION', fate: 'twice' },
  { on: 'EXECUTION', fate: 'fails' },
  { on: 'EXECUTION', fate: 'never-starts' },
  { on: 'EXECUTION', fate: 'slow-pull' },
];

/** A refusal that lasts: one whose answer a dying host never read comes again. */
const ALWAYS = 1000;

/** Faults after which a job can only fail, and a part of the sentence that it then ends with. */
export const FATAL: Record<Kind, { fault: Fault; sentence: string }[]> = {
  aci: [
    { fault: { on: 'GROUP', fate: 'pull-error', times: ALWAYS }, sentence: 'ACI_IMAGE' },
    { fault: { on: 'PUT', status: 400, code: 'InaccessibleImage', times: ALWAYS }, sentence: 'ACI_IMAGE' },
  ],
  'container-apps': [
    {
      fault: { on: 'START', status: 400, code: 'InvalidParameterValueInContainerTemplate', times: ALWAYS },
      sentence: 'CONTAINER_APPS_IMAGE',
    },
    {
      fault: { on: 'START', status: 403, code: 'AuthorizationFailed', times: ALWAYS },
      sentence: 'grant it Contributor',
    },
  ],
};

const ENDS = [1, 137, 143, 7147, 7148, 0];
/** A scorer of the chaos runs lives about so long. */
const LIFE_MS = 900;

function mishapOf(random: () => number): Mishap {
  const afterMs = Math.round(random() * LIFE_MS);
  const kind = pick(random, ['end', 'end', 'end', 'hang', 'lose', 'restart'] as const);
  return kind === 'end' ? { kind, afterMs, exitCode: pick(random, ENDS) } : { kind, afterMs };
}

/** One fault that a job can survive. */
export function faultOf(random: () => number, kind: Kind): Fault {
  if (random() < 0.4) return { on: kind === 'aci' ? 'GROUP' : 'EXECUTION', mishap: mishapOf(random) };
  return pick(random, kind === 'aci' ? ACI : APPS);
}
