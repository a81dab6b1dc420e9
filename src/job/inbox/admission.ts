import { counted } from '../failure.js';

/** How much runs at once in a deployment. */
export interface AdmissionLimits {
  jobs: number;
  items: number;
  /** Of the jobs' inputs. */
  bytes: number;
}

/** What a job that runs takes up. */
export interface Place {
  job: string;
  /** As far as they are known; 0 before. */
  items: number;
  bytes: number;
  /** Milliseconds since the epoch. */
  since: number;
}

/** All jobs that run, as all instances of the app know them. */
export interface Places {
  places: readonly Place[];
}

export const NO_PLACES: Places = { places: [] };

const has = ({ places }: Places, job: string) => places.some((place) => place.job === job);
const sumOf = ({ places }: Places, of: 'items' | 'bytes') => places.reduce((sum, place) => sum + place[of], 0);

/** Whether a job may start beside those that run. One that is larger than the limits starts when no other job runs. */
export function fits(taken: Places, wanted: Omit<Place, 'since'>, limits: AdmissionLimits): boolean {
  if (taken.places.length === 0 || has(taken, wanted.job)) return true;
  return (
    taken.places.length < limits.jobs &&
    sumOf(taken, 'items') + wanted.items <= limits.items &&
    sumOf(taken, 'bytes') + wanted.bytes <= limits.bytes
  );
}

/** Why it does not fit, as the beginning of a sentence. */
export function whyFull(taken: Places, wanted: Omit<Place, 'since'>, limits: AdmissionLimits): string {
  const { length } = taken.places;
  if (length >= limits.jobs) return `${counted(length, 'job')} run, and at most ${limits.jobs} do at once`;
  const items = sumOf(taken, 'items');
  if (items + wanted.items > limits.items)
    return `${counted(items, 'item')} are being scored, and at most ${limits.items} are at once`;
  return `jobs with ${counted(sumOf(taken, 'bytes'), 'byte')} of input run, and at most ${limits.bytes} do at once`;
}

/** With a place for the job, unless it has one. */
export const withPlace = (taken: Places, place: Place): Places =>
  has(taken, place.job) ? taken : { places: [...taken.places, place] };

/** Without the places of these jobs; the same when they have none. */
export function withoutPlaces(taken: Places, jobs: string[]): Places {
  const left = taken.places.filter(({ job }) => !jobs.includes(job));
  return left.length === taken.places.length ? taken : { places: left };
}

/** With what has become known of a job that has a place. */
export function withSize(taken: Places, job: string, size: Partial<Pick<Place, 'items' | 'bytes'>>): Places {
  const place = taken.places.find((each) => each.job === job);
  if (!place || ((size.items ?? place.items) === place.items && (size.bytes ?? place.bytes) === place.bytes))
    return taken;
  return { places: taken.places.map((each) => (each === place ? { ...place, ...size } : each)) };
}

const TICKETS_PER_SECOND = 10;
const SHORTEST_SECONDS = 5;
const LONGEST_SECONDS = 300;

/** When a message that found no room comes again: all of a line together do not come more often than the app can look. */
export const ticketDelaySeconds = (line: number): number =>
  Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, Math.ceil(line / TICKETS_PER_SECOND)));
