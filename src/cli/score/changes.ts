import { type Command, InvalidArgumentError, Option } from 'commander';
import { MOST_SECONDS } from '../../job/attempts/watch.js';
import { DEVICES, GPU_CHOICES, LEAST_MEMORY_GB, MOST_MEMORY_GB } from '../../job/compute-choice.js';
import { MOST_IN_BATCH, MOST_PARALLEL } from '../../job/plan.js';
import { type Fill, FILLS, ON_EXCEEDED } from '../../job/tolerance.js';
import { wholeNumber } from '../around.js';
import { type AutoOrCount, batchAsked, computeAsked, COMPUTES, type JobOptions, timeoutsAsked } from './run-job.js';

/** What a command says of a job that may be different when the job is started once more. */
export interface ChangeFlags extends Pick<
  JobOptions,
  | 'maxParallel'
  | 'batchSize'
  | 'batchSeconds'
  | 'itemSeconds'
  | 'tolerate'
  | 'tolerateBatches'
  | 'onExceeded'
  | 'yes'
  | 'compute'
  | 'fallback'
  | 'fallbackAfter'
  | 'device'
  | 'gpu'
  | 'memory'
> {
  fill?: Fill;
}

/** Adds the options for it. */
export const addChanges = (command: Command): Command =>
  command
    .option('--max-parallel <n>', 'containers that run at once', wholeNumber(1, MOST_PARALLEL))
    .option(
      '--batch-size <n>',
      'frames or images that a container scores, or auto (the default)',
      autoOr(MOST_IN_BATCH),
    )
    .option(
      '--item-seconds <n>',
      'how long the model may take for one frame or image, by default 90',
      wholeNumber(1, MOST_SECONDS.item),
    )
    .option(
      '--batch-seconds <n>',
      'how long a container may run for its batch, by default 3600',
      wholeNumber(1, MOST_SECONDS.batch),
    )
    .option(
      '--tolerate <n>',
      'frames or images that may fail, or percent of them, as in 2%; by default none',
      tolerance,
    )
    .option('--tolerate-batches <n>', 'batches that may be given up; by default none', wholeNumber(0, 10_000_000))
    .addOption(
      new Option(
        '--on-exceeded <choice>',
        'what becomes of containers that run when more has failed: cancel (the default) ends them, finish lets them end',
      ).choices(ON_EXCEEDED),
    )
    .addOption(
      new Option(
        '--fill <choice>',
        'what the video shows in place of a frame that failed: source (the default), the frame itself, or previous, the one before',
      ).choices(FILLS),
    )
    .option('--yes', 'go on although the first pictures come out black, white or in one colour')
    .addOption(
      new Option(
        '--compute <kind>',
        `what runs the containers: ${COMPUTES.join(', ')}; aci in a region as in aci:westeurope; …-emulated: a stand-in for Azure on this machine`,
      ).argParser(compute),
    )
    .option(
      '--fallback <kinds>',
      'what else runs them, in this order, when that has no room: like --compute, separated by commas',
      (text: string) => text.split(',').map(compute),
    )
    .option('--fallback-after <seconds>', 'how long to wait for room, by default 300', wholeNumber(1, 7200))
    .addOption(new Option('--device <device>', 'what the model runs on; by default the best there is').choices(DEVICES))
    .addOption(
      new Option(
        '--gpu <choice>',
        'whether a container in Azure gets a GPU: none (the default), prefer takes the CPU where there is none, require',
      ).choices(GPU_CHOICES),
    )
    .option('--memory <gb>', 'memory of a container in Azure; by default as the app is set up', memory);

/** The body of the request that starts a job once more. */
export function changesOf(flags: ChangeFlags): object {
  const { tolerate, tolerateBatches, onExceeded, fill, yes } = flags;
  const tolerated = { ...tolerate, failedBatches: tolerateBatches, onExceeded, fill, doubtfulPictures: yes };
  const changes = {
    batch: batchAsked(flags),
    tolerate: tolerated,
    compute: computeAsked(flags),
    timeouts: timeoutsAsked(flags),
  };
  return Object.fromEntries(
    Object.entries(changes).filter(([, change]) => Object.values(change).some((value) => value !== undefined)),
  );
}

/** Reads `auto` or a number. @throws InvalidArgumentError for anything else. */
export function autoOr(most: number) {
  return (text: string): AutoOrCount => {
    if (text === 'auto') return text;
    if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > most)
      throw new InvalidArgumentError(`It must be auto or a whole number from 1 to ${most}.`);
    return Number(text);
  };
}

/** @throws InvalidArgumentError when a container may not be asked to have so much. */
function memory(text: string): number {
  const gb = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || gb < LEAST_MEMORY_GB || gb > MOST_MEMORY_GB)
    throw new InvalidArgumentError(`It must be a number of GB from ${LEAST_MEMORY_GB} to ${MOST_MEMORY_GB}.`);
  return gb;
}

/** Reads the name of a compute. @throws InvalidArgumentError for what is none. */
function compute(text: string): string {
  const [kind = '', region] = text.trim().split(':');
  if (!COMPUTES.includes(kind))
    throw new InvalidArgumentError(
      `It must be one of ${COMPUTES.join(', ')}; aci may name a region, as in aci:westeurope.`,
    );
  if (region !== undefined && !/^[a-z0-9]+$/.test(region))
    throw new InvalidArgumentError('It must name the region as in aci:westeurope.');
  return text.trim();
}

/** @throws InvalidArgumentError when it is no number of items and no percentage. */
function tolerance(text: string): ChangeFlags['tolerate'] {
  if (!text.endsWith('%')) return { failedItems: wholeNumber(0, 10_000_000)(text) };
  const failedPercent = Number(text.slice(0, -1));
  if (!/^\d+(\.\d+)?%$/.test(text) || failedPercent > 100)
    throw new InvalidArgumentError('It must be a whole number, or a percentage from 0% to 100%.');
  return { failedPercent };
}
