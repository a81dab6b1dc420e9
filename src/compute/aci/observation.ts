import type { ContainerGroup, ContainerState, Event as GroupEvent } from '@azure/arm-containerinstance';
import { classifyAzureFault } from '../azure/verdict.js';
import type { Observation, Place } from '../provider.js';
import { ACI_ERRORS } from './codes.js';

/** Exit codes with which the platform itself ends a container for maintenance; Azure's support article calls it expected. */
const MAINTENANCE = new Set([7147, 7148]);
/** 128 + SIGKILL: the exit code of a container that used more memory than it has. */
const KILLED = 137;
/** So many pulls that failed for the same kind of reason end the attempt; the platform itself tries again until then. */
const PULL_FAILURES = 3;
/** Azure may restart a container in spite of `restartPolicy: Never`; a program that it restarts so often cannot run. */
const RESTARTS = 3;
const EVENTS_KEPT = 10;

/** Reads the state of a container group as GET answers it; list answers have no instance view. */
export function observeGroup(group: ContainerGroup): Observation {
  const view = group.containers[0]?.instanceView;
  const all = [...(group.instanceView?.events ?? []), ...(view?.events ?? [])];
  const events = all.slice(-EVENTS_KEPT).map(({ name, message }) => `${name ?? 'Event'}: ${message ?? ''}`);
  const seen = judge(group, all);
  const times = timesOf(group, all);
  const endedAt = view?.currentState?.finishTime?.toISOString();
  return {
    ...seen,
    ...(events.length > 0 ? { events } : {}),
    ...(Object.keys(times).length > 0 ? { times } : {}),
    ...(endedAt === undefined ? {} : { endedAt }),
    place: placeOf(group),
  };
}

const GIB = 2 ** 30;

/** Azure counts memory in GB of 10^9 bytes. */
function placeOf({ location, containers }: ContainerGroup): Place {
  const { cpu, memoryInGB, gpu } = containers[0]?.resources?.requests ?? {};
  return {
    ...(location === undefined ? {} : { region: location }),
    ...(cpu === undefined ? {} : { cpus: cpu }),
    ...(memoryInGB === undefined ? {} : { memoryGib: Math.round(((memoryInGB * 1e9) / GIB) * 100) / 100 }),
    gpus: gpu?.count ?? 0,
  };
}

/** A container has its place when the pull of its image begins. */
function timesOf(group: ContainerGroup, events: GroupEvent[]): NonNullable<Observation['times']> {
  const first = (name: string) => events.find((event) => event.name === name)?.firstTimestamp;
  const pulled = first('Pulled');
  const known = {
    queued: first('Pulling') ?? pulled,
    pulled,
    started: group.containers[0]?.instanceView?.currentState?.startTime,
  };
  return Object.fromEntries(
    Object.entries(known).flatMap(([phase, time]) => (time ? [[phase, time.toISOString()]] : [])),
  );
}

function judge(group: ContainerGroup, events: GroupEvent[]): Observation {
  const view = group.containers[0]?.instanceView;
  const current = view?.currentState;
  if (current?.state === 'Terminated') return describeEnd(current);
  const state = group.instanceView?.state;
  if (group.provisioningState === 'Failed') return notProvisioned(events);
  const pulled = judgePulls(events);
  if (pulled) return pulled;
  if ((view?.restartCount ?? 0) >= RESTARTS)
    return {
      state: 'failed',
      reason: `the platform started the scorer ${view?.restartCount} times again: it cannot run`,
    };
  if (current?.state === 'Running') return { state: 'running' };
  if (state === 'Succeeded') return { state: 'succeeded' };
  if (state === 'Stopped')
    return { state: 'failed', blame: 'platform', reason: 'the container group was stopped from outside' };
  if (state === 'Failed') return { state: 'failed', blame: 'platform', reason: explain(events.at(-1)) };
  return { state: 'provisioning' };
}

/** What pulls that keep failing mean: an image that nobody may have is the user's, a registry that is away is waited for. */
function judgePulls(events: GroupEvent[]): Observation | undefined {
  const failures = { user: 0, platform: 0 };
  for (const event of events) {
    if (event.name !== 'Failed' || !/pull/i.test(event.message ?? '')) continue;
    const { blame, sentence } = verdictOf(event);
    failures[blame] += event.count ?? 1;
    if (failures[blame] >= PULL_FAILURES) return { state: 'failed', blame, reason: sentence };
  }
  return undefined;
}

function describeEnd({ exitCode, detailStatus }: ContainerState): Observation {
  if (exitCode === 0) return { state: 'succeeded', exitCode };
  if (exitCode === undefined)
    return { state: 'failed', blame: 'platform', reason: 'the container ended without an exit code' };
  if (MAINTENANCE.has(exitCode)) {
    const reason = `Azure ended the container for maintenance (exit code ${exitCode})`;
    return { state: 'failed', exitCode, blame: 'platform', reason };
  }
  if (exitCode === KILLED) {
    const reason = 'it most likely ran out of memory (exit code 137): raise ACI_MEMORY_GB or "compute.memoryGb"';
    return { state: 'failed', exitCode, reason, outOfMemory: 'likely' };
  }
  const detail = detailStatus ? ` (${detailStatus})` : '';
  return { state: 'failed', exitCode, reason: `the scorer ended with exit code ${exitCode}${detail}` };
}

/** Why a group never ran, by its events. Azure neither stops nor removes a group that it failed to provision. */
function notProvisioned(events: GroupEvent[]): Observation {
  const telling = events.findLast(({ type, name }) => type === 'Warning' || /Failed|Capacity/.test(name ?? ''));
  const { blame, sentence, elsewhere } = verdictOf(telling);
  return { state: 'failed', blame, reason: sentence, ...(elsewhere && { noRoom: true }) };
}

const verdictOf = (event: GroupEvent | undefined) => {
  const message = event?.message ?? 'the container group could not be provisioned';
  return classifyAzureFault({ code: event?.name, status: undefined, message, name: '' }, ACI_ERRORS);
};
const explain = (event: GroupEvent | undefined) => verdictOf(event).sentence;
