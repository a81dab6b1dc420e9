import { z } from 'zod';
import { isNamedAsPicture } from '../items/formats.js';
import { counted } from '../failure.js';

/** Most pictures of a folder that a file can ask for by name; more are asked for by their count. */
const MOST_NAMES = 100_000;

/** Of a folder of images, whose names have seven digits. */
const MOST_IMAGES = 9_999_999;

const COUNT = {
  count: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(MOST_IMAGES, `must be at most ${MOST_IMAGES}`),
};
const EXPECTATION = 'must be {"count": NUMBER} or a list of names';

/** What has to be in a folder before its job begins: so many pictures, or those of these names. */
export const expectationSchema = z.union(
  [z.strictObject(COUNT), z.array(z.string().min(1)).min(1).max(MOST_NAMES).transform(unique)],
  EXPECTATION,
);

/** A count of pictures, or names below the folder. */
export type Expectation = z.output<typeof expectationSchema>;

function unique(names: string[]): string[] {
  return [...new Set(names)];
}

/** How many pictures are expected. */
export const expectedItems = (expectation: Expectation): number =>
  Array.isArray(expectation) ? expectation.length : expectation.count;

/** How much of what is expected is there. */
export interface Gathered {
  there: number;
  expected: number;
  /** Names of some that are not there, where they are known. */
  examples: string[];
}

export const isComplete = ({ there, expected }: Gathered): boolean => there >= expected;

const MOST_EXAMPLES = 3;

/** Counts what is there of what is expected. Call `add` with every name below the folder, whatever it is. */
export function createGathering(expectation: Expectation): { add: (name: string) => void; gathered: () => Gathered } {
  const expected = expectedItems(expectation);
  if (!Array.isArray(expectation)) {
    let there = 0;
    return {
      add: (name) => {
        if (isNamedAsPicture(name)) there += 1;
      },
      gathered: () => ({ there, expected, examples: [] }),
    };
  }
  const missing = new Set(expectation);
  return {
    add: (name) => missing.delete(name),
    gathered: () => ({
      there: expected - missing.size,
      expected,
      examples: [...missing].slice(0, MOST_EXAMPLES),
    }),
  };
}

/** What the status says while a job waits. */
export const gatheringInWords = (gathered: Gathered): string =>
  `waits for images: ${gathered.there} of ${gathered.expected} are there${withoutExamples(gathered)}`;

/** Names some that are not there; empty where no names are known. */
function withoutExamples({ there, expected, examples }: Gathered): string {
  if (examples.length === 0) return '';
  const rest = expected - there - examples.length;
  return `, without ${examples.map((name) => name.slice(0, 80)).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/**
 * Why a job gave up waiting.
 * @param hours that it has waited.
 */
export function gaveUpWaiting(folder: string, gathered: Gathered, hours: number): string {
  const { there, expected } = gathered;
  return `After ${counted(hours, 'hour')} there are ${there} of ${expected} expected images below ${folder}${withoutExamples(gathered)}; upload the rest, then its trigger file again.`;
}
