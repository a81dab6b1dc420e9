import { setTimeout as pause } from 'node:timers/promises';
import { type Kind as AzureKind, faultOf, pick } from '../support/chaos/faults.js';
import { commandOf, killNow } from '../support/processes.js';
import type { PartName } from '../support/restartable-stack.js';
import { STORAGE_FAULTS, type StorageFault } from '../support/storage-proxy.js';
import { poll } from '../../src/poll.js';
import type { World } from './world.js';

export const STRIKES = [
  'host killed',
  'worker killed',
  'scorer killed',
  'ffmpeg killed',
  'Azurite killed',
  'emulator killed',
  'storage faulty',
  'storage away',
  'disk full',
  'Azure faulty',
  'job cancelled',
] as const;
export type StrikeKind = (typeof STRIKES)[number];

/** Something that befalls a round, as its seed decides. */
export interface Strike {
  kind: StrikeKind;
  /** Milliseconds after the jobs of the round were accepted. */
  afterMs: number;
  /** How long it lasts; a killed part is started again after a tenth of it. */
  lastsMs: number;
  /** Decides between what there is to strike at that moment. */
  random: () => number;
}

const LONGEST_WAIT_MS = 6000;
const SHORTEST_MS = 500;
const LONGEST_MS = 4000;
/** Of the requests to storage. */
const FAULTY_RATE = 0.06;
const AWAY: readonly StorageFault[][] = [['cut-before'], ['busy'], ['cut-before', 'busy'], ['silent']];

/** Two to four strikes; each round has two of the next kinds in the list, so that a few rounds have all. */
export function planStrikes(round: number, random: () => number): Strike[] {
  const kinds = [0, 1].flatMap((next) => STRIKES[(2 * round + next) % STRIKES.length] ?? []);
  while (kinds.length < 4 && random() < 0.4) {
    const kind = pick(random, STRIKES);
    if (!kinds.includes(kind)) kinds.push(kind);
  }
  return kinds.map((kind) => ({
    kind,
    afterMs: kind === 'Azure faulty' ? 0 : Math.round(random() * LONGEST_WAIT_MS),
    lastsMs: Math.round(SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS)),
    random,
  }));
}

/** A job that runs while it is struck. */
export interface Target {
  id: string;
  compute: string;
  /** Cancels the job and starts it once more; false when it is over already. */
  cancelAndRedrive: () => Promise<boolean>;
}

/**
 * Lets a strike happen, until what it struck is there again.
 * @param over is aborted when the jobs have ended: what there is nothing of then will not come.
 * @returns false when there was nothing to strike.
 */
export async function strike(
  world: World,
  { kind, lastsMs, random }: Strike,
  targets: Target[],
  over: AbortSignal,
): Promise<boolean> {
  const { proxy } = world;
  const killOne = async (part: string) => {
    // The emulator knows what its containers run.
    const isPart = (command: string) => command.includes(part) && !command.includes('azure-emulator');
    const find = () => world.running().filter((pid) => isPart(commandOf(pid)));
    const look = () => {
      const found = find();
      return Promise.resolve(found.length > 0 || over.aborted ? found : undefined);
    };
    const found = await poll(look, { pauseMs: 20 });
    return found.length > 0 && killNow(pick(random, found));
  };
  const restart = async (part: PartName) => {
    await world.restart(part, lastsMs / 10);
    return true;
  };
  /** Lets so many of the requests to storage go wrong for a while. */
  const spoil = async (rate: number, faults: readonly StorageFault[]) => {
    Object.assign(proxy, { rate, faults });
    await pause(lastsMs);
    Object.assign(proxy, { rate: 0, faults: STORAGE_FAULTS });
    return true;
  };
  const happenings: Record<StrikeKind, () => Promise<boolean>> = {
    'host killed': () => restart('host'),
    'worker killed': () => killOne('stack/devhost/worker-main'),
    'scorer killed': () => killOne('scorer/bundle/main'),
    'ffmpeg killed': () => killOne('ffmpeg'),
    'Azurite killed': () => restart('azurite'),
    'emulator killed': () => restart('emulator'),
    'storage faulty': () => spoil(FAULTY_RATE, STORAGE_FAULTS),
    'storage away': () => spoil(1, pick(random, AWAY)),
    'disk full': async () => {
      const free = world.fillDisk?.();
      if (!free) return false;
      await pause(lastsMs);
      free();
      return true;
    },
    'Azure faulty': async () => {
      const onAzure = targets.filter(({ compute }) => compute !== 'local');
      const { id, compute } = pick(random, onAzure);
      const fault = { ...faultOf(random, compute as AzureKind), of: id };
      const told = fetch(`${world.azure}/emulator/faults`, { method: 'POST', body: JSON.stringify(fault) });
      return told.then(
        () => true,
        // The emulator is being killed.
        () => false,
      );
    },
    'job cancelled': () => pick(random, targets).cancelAndRedrive(),
  };
  return happenings[kind]();
}
