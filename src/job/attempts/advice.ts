import { MOST_PARALLEL } from '../plan.js';
import type { Stage } from '../progress.js';
import type { ContainerTime, TimeUse } from './bottleneck.js';

/** What a run of a job tells of its time. */
export interface RunFacts {
  /** Seconds per stage. */
  stages: Partial<Record<Stage, number>>;
  /** Null before a container was settled. */
  time: ContainerTime | null;
  /** How many containers ran where, as in `{ "aci in westeurope": 12 }`. */
  ranOn: Record<string, number>;
  batches: number;
  /** Containers that may run at once. */
  lanes: number;
}

/**
 * Where a run is slowest, and what would help, in one to three sentences.
 * @returns null when nothing has taken any time.
 */
export function nameBottleneck(facts: RunFacts): string | null {
  const { stages } = facts;
  const times = Object.entries(stages) as [Stage, number][];
  const total = times.reduce((sum, [, seconds]) => sum + seconds, 0);
  const longest = times.toSorted(([, one], [, other]) => other - one)[0];
  if (longest === undefined || total <= 0) return null;
  const [stage, seconds] = longest;
  const share = `${percent(seconds / total)} of the time went into`;
  if (stage === 'score') return `${share} ${scoring(seconds, facts)}`;
  const { what, help } = OF_STAGE[stage];
  const fetched = stage === 'prepare' && stages.split !== undefined ? FETCHED : undefined;
  return sentences(`${share} ${what}.`, help, fetched);
}

const percent = (share: number) => `${Math.round(100 * share)} %`;

/** What the app does itself in a stage, and what makes it quicker. */
const OF_STAGE: Record<Exclude<Stage, 'score'>, { what: string; help?: string }> = {
  gather: {
    what: 'waiting for images that the folder was to hold',
    help: 'Upload them sooner, or start the job when they are there.',
  },
  prepare: {
    what: 'preparing the job',
    help: 'It is done once per job, whatever the number of items, so that larger jobs hardly notice.',
  },
  split: {
    what: 'splitting the video into frames',
    help: 'The app does that, not the containers: faster or more cores where the app runs help, and so does a video with fewer pixels.',
  },
  list: {
    what: 'listing the images',
    help: 'Fewer images in the folder, or a list of those that are meant, take less.',
  },
  stitch: {
    what: 'making the output video',
    help: 'The app encodes it, not the containers: codec h264, the default, encodes several times as fast as h265 and vp9, quality small saves a little more, and faster or more cores where the app runs help.',
  },
  // prettier-ignore
  collect: { what: 'collecting the outputs', help: 'The app reads and writes them once more: storage in its own region, or on a faster disk, helps.' },
  finish: { what: 'finishing: checking the outputs, writing the manifest and removing what is not needed any more' },
};

const FETCHED = 'A video that is named by a URL is fetched then.';

/** In so short a time it is pauses between looks that leave places empty, and in less than this share the last batches. */
const LONG_SECONDS = 60;
const MOSTLY_EMPTY = 0.5;

function scoring(seconds: number, { stages, time, ranOn, batches, lanes }: RunFacts): string {
  if (time === null) return 'scoring.';
  const isHere = Object.keys(ranOn).every((place) => place === 'local');
  const used = Object.values(time.seconds).reduce((sum, each) => sum + each, 0);
  const empty = 1 - used / (lanes * seconds);
  if (seconds >= LONG_SECONDS && empty >= MOSTLY_EMPTY) {
    const places = lanes === 1 ? 'the one place for containers' : `the ${lanes} places for containers`;
    return `scoring, and ${places} stood empty ${percent(empty)} of the time. ${isHere ? EMPTY_HERE : EMPTY_IN_AZURE}`;
  }
  const [use, share] = largest(time);
  const whose = `${share} % of the containers' time ${WORDS[use]}`;
  const isFolder = stages.list !== undefined && stages.stitch === undefined;
  const help = helpFor(use, { isHere, isFolder, places: Object.keys(ranOn), batches, lanes });
  return sentences(`scoring, and ${whose}.`, help);
}

const EMPTY_HERE =
  'Batches waited there for the cores that other jobs used, or for their next attempt: run fewer jobs at once, and see in the logs why containers failed, if any did.';
const EMPTY_IN_AZURE =
  'Batches waited there for capacity, or for their next attempt: name a fallback or another region, ask Azure for more quota, and see in the logs why containers failed, if any did.';

function largest({ percent: shares }: ContainerTime): [TimeUse, number] {
  const uses = Object.entries(shares) as [TimeUse, number][];
  return uses.toSorted(([, one], [, other]) => other - one)[0] ?? ['other', 100];
}

const WORDS: Record<TimeUse, string> = {
  place: 'is waiting for a place to run',
  image: "is pulling the scorer's image",
  start: 'is starting',
  model: 'is loading the model',
  storage: 'is reading from storage and writing to it',
  pictures: 'is decoding, scaling and encoding pictures',
  inference: 'is inference',
  other: 'is other work',
  unknown: 'is unknown, as they ended without a word',
};

interface Containers {
  /** Whether all of them ran on the app's own machine. */
  isHere: boolean;
  /** Whether the items are the images of a folder that no video is made of. */
  isFolder: boolean;
  places: string[];
  batches: number;
  lanes: number;
}

function helpFor(use: TimeUse, containers: Containers): string | undefined {
  const { isHere, isFolder } = containers;
  if (use === 'place')
    return isHere
      ? 'Other containers used the cores of this machine: run fewer jobs at once, or use a machine with more cores.'
      : 'Name a fallback, choose another region, or ask Azure for more quota.';
  if (use === 'image')
    return sentences('A registry in the same region as the containers helps.', fewerStarts(containers));
  if (use === 'start') return fewerStarts(containers);
  if (use === 'model')
    return sentences('Each container loads it once; a smaller model loads sooner.', fewerStarts(containers));
  if (use === 'storage') {
    const near = isHere ? 'A faster disk helps' : 'Containers in the region of the storage help';
    const where = isFolder ? ' where the model gives pictures' : '';
    return `${near}, and so does frameFormat jpg${where}: its files are a tenth of the size and lose a little.`;
  }
  if (use === 'pictures')
    return sentences(
      'Smaller pictures and more cores per container help, and on a GPU more sessions (the setting SCORER_SESSIONS).',
      isFolder ? undefined : 'Frames of a video take least in frameFormat ppm, the default.',
    );
  if (use === 'inference') return sentences(FASTER_MODEL, ...moreCompute(containers));
  if (use === 'unknown') return 'The logs of the job tell what they said last.';
  return undefined;
}

const FASTER_MODEL = 'A smaller model, or smaller pictures, take less.';

function moreCompute({ isHere, places, batches, lanes }: Containers): string[] {
  if (isHere)
    return [
      'On this machine a GPU (device cuda or webgpu) or more cores help; where the app is deployed, containers in Azure do.',
    ];
  const isOnAci = places.some((place) => place.startsWith('aci'));
  const gpu = isOnAci
    ? 'Containers of container-apps can have a GPU.'
    : 'A GPU helps where the containers have none (gpu, device cuda).';
  return batches >= lanes && lanes < MOST_PARALLEL
    ? [`More containers at once share the work (maxParallel above ${lanes}).`, gpu]
    : [gpu];
}

/** How fewer containers start for the same items. */
function fewerStarts({ batches, lanes }: Containers): string | undefined {
  if (batches > lanes) return 'Fewer containers start with larger batches (size).';
  if (lanes > 1) return `Fewer containers start with maxParallel below ${lanes}; a job with more items hardly notices.`;
  return 'A job with more items hardly notices.';
}

const sentences = (...parts: (string | undefined)[]) => parts.filter((part) => part !== undefined).join(' ');
