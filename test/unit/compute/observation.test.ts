import type { ContainerGroup, Event } from '@azure/arm-containerinstance';
import { describe, expect, test } from 'vitest';
import { observeGroup } from '../../../src/compute/aci/observation.js';
import type { Execution } from '../../../src/compute/container-apps/executions.js';
import { observeExecution } from '../../../src/compute/container-apps/observation.js';

interface Seen {
  state?: string;
  provisioningState?: string;
  container?: object;
  events?: Partial<Event>[];
}

/** A container group as GET answers it. */
const group = ({ state, provisioningState = 'Succeeded', container, events = [] }: Seen): ContainerGroup => ({
  osType: 'Linux',
  provisioningState,
  instanceView: { state, events: [] },
  containers: [
    { name: 'scorer', image: 'x', resources: { requests: { cpu: 1, memoryInGB: 1 } }, ...inside(container, events) },
  ],
});
const inside = (container: object | undefined, events: Partial<Event>[]) => ({
  instanceView: { ...container, events },
});
const ended = (exitCode?: number) => group({ container: { currentState: { state: 'Terminated', exitCode } } });

describe('a container group', () => {
  test.each([
    [ended(0), { state: 'succeeded', exitCode: 0 }],
    [ended(1), { state: 'failed', exitCode: 1 }],
    [ended(137), { state: 'failed', exitCode: 137, reason: expect.stringContaining('ACI_MEMORY_GB') as string }],
    [ended(7147), { state: 'failed', exitCode: 7147, blame: 'platform' }],
    [ended(7148), { state: 'failed', exitCode: 7148, blame: 'platform' }],
    [ended(undefined), { state: 'failed', blame: 'platform' }],
  ])('that ended: %j', (seen, expected) => {
    expect(observeGroup(seen)).toMatchObject(expected);
  });

  test.each([1, 137])('that ended with exit code %i ended by itself: nobody else is to blame', (exitCode) => {
    expect(observeGroup(ended(exitCode)).blame).toBeUndefined();
  });

  test.each([
    ['runs', group({ container: { currentState: { state: 'Running' } } }), { state: 'running' }],
    ['waits for its place', group({ provisioningState: 'Pending' }), { state: 'provisioning' }],
    ['somebody stopped', group({ state: 'Stopped' }), { state: 'failed', blame: 'platform' }],
    [
      'found no room',
      group({
        provisioningState: 'Failed',
        events: [{ name: 'InsufficientCapacity.', type: 'Warning', message: 'no' }],
      }),
      { state: 'failed', blame: 'platform' },
    ],
    [
      'cannot pull its image, after three tries',
      group({ events: [{ name: 'Failed', count: 3, message: 'Failed to pull image "x": pull access denied' }] }),
      { state: 'failed', blame: 'user' },
    ],
    [
      'could not pull its image twice',
      group({ events: [{ name: 'Failed', count: 2, message: 'Failed to pull image "x"' }] }),
      { state: 'provisioning' },
    ],
    [
      'restarts over and over',
      group({ container: { restartCount: 3, currentState: { state: 'Running' } } }),
      { state: 'failed' },
    ],
  ])('that %s', (_, seen, expected) => {
    expect(observeGroup(seen)).toMatchObject(expected);
  });

  const pullFails = (...events: [message: string, count: number][]) =>
    observeGroup(group({ events: events.map(([message, count]) => ({ name: 'Failed', message, count })) }));
  const IMAGE = 'Failed to pull image "example.azurecr.io/denied/not-found-404:1.500"';

  test.each([
    'pull access denied for scorer, repository does not exist or may require docker login',
    'manifest unknown: manifest tagged by "2" is not found',
    'failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized',
    'unexpected status code 403 Forbidden: client with IP 10.0.0.1 is not allowed access',
    'rpc error: code = NotFound desc = failed to unpack image: docker.io/me/scorer:9: not found',
    'no matching manifest for linux/amd64 in the manifest list entries',
  ])('whose image the registry will never hand out is the user’s to correct: %s', (reason) => {
    expect(pullFails([`${IMAGE}: ${reason}`, 3])).toMatchObject({ state: 'failed', blame: 'user' });
  });

  test.each([
    '429 Too Many Requests - toomanyrequests: You have reached your pull rate limit',
    'pull access denied: toomanyrequests: retry later',
    'dial tcp 10.0.0.4:443: i/o timeout',
    'dial tcp: lookup example.azurecr.io on 168.63.129.16:53: no such host',
    'net/http: TLS handshake timeout',
    'unexpected status from HEAD request: 503 Service Unavailable',
    'received unexpected HTTP status: 502 Bad Gateway',
    'read tcp 10.0.0.5:3422->52.1.1.1:443: read: connection reset by peer',
    'unexpected EOF',
    'context deadline exceeded',
    'no space left on device',
    '',
  ])('whose registry is busy or out of reach is waited for: %s', (reason) => {
    expect(pullFails([`${IMAGE}: ${reason}`, 3])).toMatchObject({ state: 'failed', blame: 'platform' });
  });

  test('goes on waiting for its image after failed pulls of different kinds', () => {
    const seen = pullFails([`${IMAGE}: pull access denied`, 2], [`${IMAGE}: 429 Too Many Requests`, 2]);
    expect(seen.state).toBe('provisioning');
  });

  test('tells the last ten events, and when it had its place and its image', () => {
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
    const noise = Array.from({ length: 12 }, () => ({ name: 'Noise', message: 'x' }));
    const events = [{ name: 'Pulling', firstTimestamp: at(1) }, { name: 'Pulled', firstTimestamp: at(5) }, ...noise];
    const seen = observeGroup(group({ container: { currentState: { state: 'Running', startTime: at(6) } }, events }));
    expect(seen.events).toHaveLength(10);
    expect(seen.times).toEqual({
      queued: '2026-01-01T00:00:01.000Z',
      pulled: '2026-01-01T00:00:05.000Z',
      started: '2026-01-01T00:00:06.000Z',
    });
  });

  test('tells where it stands, how big it is, and when it ended', () => {
    const finishTime = new Date(Date.UTC(2026, 0, 1));
    const container = { currentState: { state: 'Terminated', exitCode: 0, finishTime } };
    const requests = { cpu: 4, memoryInGB: 16, gpu: { count: 2, sku: 'V100' } };
    const scorer = { name: 'scorer', image: 'x', resources: { requests }, ...inside(container, []) };
    expect(observeGroup({ ...group({}), location: 'westeurope', containers: [scorer] })).toMatchObject({
      endedAt: '2026-01-01T00:00:00.000Z',
      place: { region: 'westeurope', cpus: 4, memoryGib: 14.9, gpus: 2 },
    });
  });
});

describe('an execution of Container Apps', () => {
  const execution = (status: string): Execution => ({
    job: 'scorer-cpu-1',
    name: 'scorer-cpu-1-a',
    launch: 'coast-b00000-a1',
    jobId: 'coast',
    deadline: 0,
    status,
    startTime: undefined,
    endTime: undefined,
    place: { region: 'westeurope', cpus: 2, memoryGib: 4, gpus: 0 },
  });

  test.each([
    ['Processing', 'provisioning', undefined],
    ['Running', 'running', undefined],
    ['Degraded', 'running', undefined],
    ['SomethingNew', 'running', undefined],
    ['Succeeded', 'succeeded', undefined],
    ['Failed', 'failed', undefined],
    ['Stopped', 'failed', 'platform'],
  ])('that Azure calls %s is %s', (status, state, blame) => {
    const seen = observeExecution(execution(status));
    expect(seen.state).toBe(state);
    expect(seen.blame).toBe(blame);
  });

  test('tells where it stands, how big it is, and when it ended', () => {
    const seen = observeExecution({ ...execution('Succeeded'), endTime: new Date(Date.UTC(2026, 0, 1)) });
    expect(seen).toMatchObject({
      endedAt: '2026-01-01T00:00:00.000Z',
      place: { region: 'westeurope', cpus: 2, memoryGib: 4, gpus: 0 },
    });
  });
});
