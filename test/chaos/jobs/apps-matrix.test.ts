import type { Execution } from '../../../azure-emulator/src/container-apps/execution.js';
import { launchName } from '../../support/container-apps.js';
import { AGAIN, AWAY, type Cell, CHARGED, ONCE, playMatrix, THROTTLED } from '../../support/chaos/matrix.js';

const stopped = { attempts: 0, ends: 'stopped' } as const;

const LAUNCH: Cell<Execution>[] = [
  {
    fault: 'another change of the job resource',
    faults: [{ on: 'START', status: 409, code: 'ContainerAppOperationInProgress' }],
    ...ONCE,
    sentence: /Another change of the job resource is under way/,
  },
  {
    fault: 'cores that are used up',
    faults: [{ on: 'START', status: 400, code: 'MaxAllowedCoresExceeded' }],
    ...ONCE,
    sentence: /cores that the Container Apps environment may have are used up/,
  },
  { fault: 'a 429 storm', faults: [{ on: 'START', ...THROTTLED, times: 3 }], ...ONCE, sentence: /throttling/ },
  {
    fault: 'a 429 with Retry-After',
    faults: [{ on: 'START', ...THROTTLED, retryAfter: 1 }],
    ...ONCE,
    sentence: /throttling/,
  },
  { fault: 'a failing service', faults: [{ on: 'START', ...AWAY }], ...ONCE, sentence: /status 503/ },
  { fault: 'a cut answer', faults: [{ on: 'START', cut: true }], ...ONCE, sentence: /^$/ },
  { fault: 'an answer that never comes', faults: [{ on: 'START', cut: 'silent' }], ...ONCE, sentence: /^$/ },
  { fault: 'two starts for one', faults: [{ on: 'EXECUTION', fate: 'twice' }], ...ONCE, started: 2, sentence: /^$/ },
  {
    fault: 'an image that cannot be had',
    faults: [{ on: 'START', status: 400, code: 'InvalidParameterValueInContainerTemplate' }],
    ...stopped,
    sentence: /correct CONTAINER_APPS_IMAGE/,
  },
  {
    fault: 'a right that is missing',
    faults: [{ on: 'START', status: 403, code: 'AuthorizationFailed' }],
    ...stopped,
    sentence: /grant it Contributor on the resource group of the jobs/,
  },
];

const PROVISIONING: Cell<Execution>[] = [
  {
    fault: 'a start that never comes',
    faults: [{ on: 'EXECUTION', fate: 'never-starts' }],
    patience: 6,
    ...AGAIN,
    sentence: /showed no sign of life within timeouts.provisionSeconds/,
  },
  { fault: 'a slow pull', faults: [{ on: 'EXECUTION', fate: 'slow-pull' }], ...ONCE, sentence: /^$/ },
  {
    fault: 'an end without a start',
    faults: [{ on: 'EXECUTION', fate: 'fails' }],
    ...CHARGED,
    sentence: /as failed, without an exit code/,
  },
  {
    fault: 'a lost execution',
    faults: [{ on: 'EXECUTION', fate: 'never-starts' }],
    launched: (execution) => execution.lose(),
    ...AGAIN,
    sentence: /no longer knows the execution/,
  },
  {
    fault: 'a crash at the start',
    faults: [{ on: 'EXECUTION', mishap: { kind: 'end', afterMs: 0, exitCode: 1 } }],
    ...CHARGED,
    sentence: /as failed, without an exit code/,
  },
];

const SCORING: Cell<Execution>[] = [
  {
    fault: 'a crash',
    strike: (execution) => execution.container?.kill(1),
    ...CHARGED,
    sentence: /as failed, without an exit code/,
  },
  {
    fault: 'a stop from outside',
    strike: (execution) => execution.stop(),
    ...AGAIN,
    sentence: /was stopped from outside/,
  },
  {
    fault: 'a hang',
    strike: (execution) => execution.container?.hang(),
    patience: 5,
    ...CHARGED,
    sentence: /no item for longer than timeouts.stallSeconds/,
  },
  {
    fault: 'a lost execution',
    strike: (execution) => execution.lose(),
    ...AGAIN,
    sentence: /no longer knows the execution/,
  },
  { fault: 'a 429 storm', faults: [{ on: 'LOOK', ...THROTTLED, times: 4 }], ...ONCE, sentence: /throttling/ },
  { fault: 'a cut answer', faults: [{ on: 'LOOK', cut: true, times: 3 }], ...ONCE, sentence: /the connection was cut/ },
];

const SETTLING: Cell<Execution>[] = [
  ['a stop that is refused', AWAY, /status 503/] as const,
  ['a throttled stop', THROTTLED, /throttling/] as const,
  ['a stop whose answer is cut', { cut: true }, /the connection was cut/] as const,
  ['a stop whose answer never comes', { cut: 'silent' }, /request was given up/] as const,
  ['a stop that is accepted and not done', { ignored: true }, /still runs 20 seconds after it was stopped/] as const,
].map(([fault, how, sentence]) => ({
  fault,
  faults: [{ on: 'STOP', ...how }],
  // Only what hangs is stopped; what ended by itself has no need.
  strike: (execution) => execution.container?.hang(),
  patience: 5,
  ...CHARGED,
  sentence,
}));

playMatrix(
  'container-apps',
  ({ emulator }, name) =>
    emulator.apps.executions.find(({ isLive, template }) => isLive && launchName(template) === name),
  [
    ['while it is launched', LAUNCH],
    ['while its container is provided', PROVISIONING],
    ['while it is scored', SCORING],
    ['while it is settled', SETTLING],
  ],
);
