import type { Group } from '../../../azure-emulator/src/container-instances/group.js';
import { AGAIN, AWAY, type Cell, CHARGED, ONCE, playMatrix, THROTTLED } from '../../support/chaos/matrix.js';

const CAPACITY = 'The requested resource is not available in the location at this moment.';
const QUOTA =
  "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'StandardCores' exceeded in region 'r'. Limit: '10', Usage: '10' Requested: '1'.";

const LAUNCH: Cell<Group>[] = [
  {
    fault: 'no capacity',
    faults: [{ on: 'PUT', status: 409, code: 'ServiceUnavailable', message: CAPACITY }],
    ...ONCE,
    sentence: /no room for the container now/,
  },
  {
    fault: 'a quota in use',
    faults: [{ on: 'PUT', status: 400, code: 'ContainerGroupQuotaReached', message: QUOTA }],
    ...ONCE,
    sentence: /limit 10, in use 10, asked for 1/,
  },
  { fault: 'a 429 storm', faults: [{ on: 'PUT', ...THROTTLED, times: 3 }], ...ONCE, sentence: /throttling/ },
  {
    fault: 'a 429 with Retry-After',
    faults: [{ on: 'PUT', ...THROTTLED, retryAfter: 1 }],
    ...ONCE,
    sentence: /throttling/,
  },
  { fault: 'a failing service', faults: [{ on: 'PUT', ...AWAY }], ...ONCE, sentence: /status 503/ },
  { fault: 'a cut answer', faults: [{ on: 'PUT', cut: true }], ...ONCE, sentence: /^$/ },
  { fault: 'an answer that never comes', faults: [{ on: 'PUT', cut: 'silent' }], ...ONCE, sentence: /^$/ },
  {
    fault: 'a look before it that never comes back',
    faults: [{ on: 'GET', cut: 'silent' }],
    ...ONCE,
    sentence: /request was given up/,
  },
  {
    fault: 'a registry that refuses for now',
    faults: [{ on: 'PUT', status: 409, code: 'RegistryErrorResponse' }],
    ...ONCE,
    sentence: /its registry was busy or out of reach/,
  },
  {
    fault: 'an image that cannot be had',
    faults: [{ on: 'PUT', status: 400, code: 'InaccessibleImage' }],
    attempts: 0,
    ends: 'stopped',
    sentence: /correct ACI_IMAGE/,
  },
  {
    fault: 'a right that is missing',
    faults: [{ on: 'PUT', status: 403, code: 'AuthorizationFailed' }],
    attempts: 0,
    ends: 'stopped',
    sentence: /grant it Contributor/,
  },
];

const PROVISIONING: Cell<Group>[] = [
  {
    fault: 'no capacity',
    faults: [{ on: 'GROUP', fate: 'no-capacity' }],
    ...AGAIN,
    sentence: /no room for the container now/,
  },
  {
    fault: 'a pull error',
    faults: [{ on: 'GROUP', fate: 'pull-error' }],
    attempts: 1,
    ends: 'stopped',
    sentence: /correct ACI_IMAGE/,
  },
  { fault: 'a slow pull', faults: [{ on: 'GROUP', fate: 'slow-pull' }], ...ONCE, sentence: /^$/ },
  {
    fault: 'a start that never comes',
    faults: [{ on: 'GROUP', fate: 'never-starts' }],
    patience: 6,
    ...AGAIN,
    sentence: /showed no sign of life within timeouts.provisionSeconds/,
  },
  {
    fault: 'a lost group',
    faults: [{ on: 'GROUP', mishap: { kind: 'lose', afterMs: 0 } }],
    ...AGAIN,
    sentence: /no longer knows the container group/,
  },
  {
    fault: 'a crash at the start',
    faults: [{ on: 'GROUP', mishap: { kind: 'end', afterMs: 0, exitCode: 1 } }],
    ...CHARGED,
    sentence: /exit code 1/,
  },
  {
    fault: 'maintenance',
    faults: [{ on: 'GROUP', mishap: { kind: 'end', afterMs: 0, exitCode: 7148 } }],
    ...AGAIN,
    sentence: /maintenance \(exit code 7148\)/,
  },
  {
    fault: 'an eviction',
    faults: [{ on: 'GROUP', mishap: { kind: 'restart', afterMs: 20 } }],
    ...ONCE,
    sentence: /^$/,
  },
];

const SCORING: Cell<Group>[] = [
  { fault: 'a crash', strike: (group) => group.container?.kill(1), ...CHARGED, sentence: /exit code 1/ },
  {
    fault: 'want of memory (137)',
    strike: (group) => group.container?.kill(137),
    ...CHARGED,
    sentence: /out of memory \(exit code 137\): raise ACI_MEMORY_GB/,
  },
  {
    fault: 'maintenance (7147)',
    strike: (group) => group.container?.kill(7147),
    ...AGAIN,
    sentence: /maintenance \(exit code 7147\)/,
  },
  {
    fault: 'a hang',
    strike: (group) => group.container?.hang(),
    patience: 5,
    ...CHARGED,
    sentence: /no item for longer than timeouts.stallSeconds/,
  },
  { fault: 'an eviction', strike: (group) => group.evict(), ...ONCE, sentence: /^$/ },
  { fault: 'a lost group', strike: (group) => group.lose(), ...AGAIN, sentence: /no longer knows the container group/ },
  { fault: 'a 429 storm', faults: [{ on: 'GET', ...THROTTLED, times: 4 }], ...ONCE, sentence: /throttling/ },
  { fault: 'a cut answer', faults: [{ on: 'GET', cut: true, times: 3 }], ...ONCE, sentence: /the connection was cut/ },
  {
    fault: 'a hang that nobody can see, since looks fail for too long',
    strike: (group, world) => {
      group.container?.hang();
      world.emulator.faults.add({ on: 'GET', ...AWAY, times: 7, of: group.name });
    },
    ...AGAIN,
    sentence: /could not check on the container/,
  },
  {
    fault: 'a container that its platform starts over and over',
    strike: async (group) => {
      for (let restart = 0; restart < 3; restart += 1) await group.evict();
      group.container?.hang();
    },
    ...CHARGED,
    sentence: /the platform started the scorer 3 times again: it cannot run/,
  },
];

const SETTLING: Cell<Group>[] = [
  {
    fault: 'a log in transition',
    faults: [{ on: 'LOGS', status: 409, code: 'ContainerGroupTransitioning' }],
    strike: (group) => group.container?.kill(7147),
    ...AGAIN,
    sentence: /maintenance/,
  },
  {
    fault: 'a log that is refused',
    faults: [{ on: 'LOGS', ...AWAY }],
    strike: (group) => group.container?.kill(7147),
    ...AGAIN,
    sentence: /status 503/,
  },
  {
    fault: 'a removal that is refused',
    faults: [{ on: 'DELETE', status: 409, code: 'ContainerGroupTransitioning' }],
    ...ONCE,
    sentence: /still changing its state/,
  },
  {
    fault: 'a removal that is refused for longer than it is repeated',
    faults: [{ on: 'DELETE', ...AWAY, times: 7 }],
    strike: (group) => group.container?.kill(7147),
    ...AGAIN,
    sentence: /status 503/,
  },
  {
    fault: 'a removal that is accepted and not done',
    faults: [{ on: 'DELETE', ignored: true }],
    ...ONCE,
    sentence: /still stands 20 seconds after its deletion; it is deleted again/,
  },
  { fault: 'a throttled removal', faults: [{ on: 'DELETE', ...THROTTLED, times: 3 }], ...ONCE, sentence: /throttling/ },
  {
    fault: 'a removal whose answer is cut',
    faults: [{ on: 'DELETE', cut: true }],
    ...ONCE,
    sentence: /the connection was cut/,
  },
  {
    fault: 'a removal whose answer never comes',
    faults: [{ on: 'DELETE', cut: 'silent' }],
    ...ONCE,
    sentence: /request was given up/,
  },
];

playMatrix('aci', ({ emulator }, name) => emulator.azure.groups.get(name), [
  ['while it is launched', LAUNCH],
  ['while its container is provided', PROVISIONING],
  ['while it is scored', SCORING],
  ['while it is settled', SETTLING],
]);
