import {
  type AdmissionLimits,
  fits,
  NO_PLACES,
  type Place,
  type Places,
  whyFull,
  withoutPlaces,
  withPlace,
  withSize,
} from '../../job/inbox/admission.js';
import { changeJson, readJson, type Storage } from '../../storage/storage.js';
import { limitsOf, PLACES_BLOB } from '../layout.js';

/** The jobs that run, as all instances of the app count them. */
export async function readPlaces(storage: Storage): Promise<Places> {
  return (await readJson<Places>(limitsOf(storage), PLACES_BLOB)) ?? NO_PLACES;
}

/**
 * Takes a place for a job, if there is room; a job that has one keeps it.
 * @returns its place, the same for all who ask for the same job; or why there is none, as the beginning of a sentence.
 */
export async function takePlace(
  storage: Storage,
  wanted: Omit<Place, 'since'>,
  limits: AdmissionLimits,
): Promise<Place | string> {
  const since = Date.now();
  const taken = await change(storage, (before) =>
    fits(before, wanted, limits) ? withPlace(before, { ...wanted, since }) : before,
  );
  return taken.places.find(({ job }) => job === wanted.job) ?? whyFull(taken, wanted, limits);
}

/** Gives the places of jobs back that have ended or never began. */
export const givePlaces = (storage: Storage, jobs: string[]): Promise<Places> =>
  change(storage, (before) => withoutPlaces(before, jobs));

/** Counts a job with its true size from now on; one without a place is left alone. */
export const knowSize = (storage: Storage, job: string, size: Partial<Pick<Place, 'items' | 'bytes'>>) =>
  change(storage, (before) => withSize(before, job, size));

async function change(storage: Storage, step: (before: Places) => Places): Promise<Places> {
  const places = await changeJson<Places | undefined>(limitsOf(storage), PLACES_BLOB, (before) => {
    const after = step(before ?? NO_PLACES);
    return after === NO_PLACES ? before : after;
  });
  return places ?? NO_PLACES;
}
