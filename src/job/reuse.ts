import type { ModelCard } from '../model-card/schema.js';
import { boundPart } from './redrive.js';
import type { ComputeChoice } from './compute-choice.js';

/**
 * Goes up with every change by which frames are cut or items are scored so that other bytes come out of the same: what was made before
 * is not reused then. test/integration/scorer/scoring-version.test.ts fails where that is forgotten.
 */
export const SCORING_VERSION = 1;

/** All that the bytes of an output depend on besides the item itself, and for whom they are. */
export interface Making {
  /** Id of the caller, where callers are kept apart: none gets what another has, or learns that there is any. */
  owner?: string | undefined;
  /** SHA-256 of the bytes of the model, and of the style picture if there is one. */
  model: string;
  style?: string | undefined;
  /** Complete. */
  card: ModelCard;
  /** What is stored of each item, and what the model says of it where that is drawn. */
  output: { ending: string; prediction?: string | undefined };
  device: string;
  /** What reads and writes pictures, where the settings say it. */
  codec?: string | undefined;
  /** Of the frames of a video: SHA-256 of its bytes, and how they are cut and stored. */
  frames?: { video?: string; onDamage: string; format: string } | undefined;
}

/** The same text for whatever makes the same outputs. */
export const describeMaking = ({ card, ...making }: Making): string =>
  JSON.stringify(sorted({ ...making, card: boundPart(card), version: SCORING_VERSION }));

/** What a job computes on, as far as results differ by it: on another kind of device the last digits of numbers are others. */
export function deviceClass({ kind, device = 'auto' }: Pick<ComputeChoice, 'kind' | 'device'>, gpu = false): string {
  if (device !== 'auto') return device;
  if (gpu) return 'cuda';
  // What is best on this machine is not what is best in a container.
  return kind === 'local' ? 'local' : 'cpu';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(
    entries.toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([key, each]) => [key, sorted(each)]),
  );
}
