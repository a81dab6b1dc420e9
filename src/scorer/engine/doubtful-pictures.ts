import { JobError } from '../../job/failure.js';
import type { ImageTensor, ModelCard } from '../../model-card/schema.js';
import type { Picture } from '../pictures/codec.js';
import { brightnessOf, ofChannel } from '../tensors/pack.js';
import { channelsOf, type TensorValues } from '../tensors/tensor.js';

type Range = [number, number];

/** Pictures of a lower standard deviation, in bytes, are too dark or too even to tell anything by. */
const LEAST_CONTRAST = 8;
/** Bytes that look black, or from white. */
const BLACK = 4;
/** What is this far beyond white, or below black, has another range: networks that paint overshoot by less. */
const FAR = 64;
/** About so many pixels tell that a picture is right; only of one that looks wrong are all measured. The first frame waits for it. */
const GLANCED_PIXELS = 5_000;
/** About so many pixels tell what share of all is how. */
const SHARE_PIXELS = 100_000;
/** Share of values that makes it the picture's and not that of a few pixels. */
const MOST_OF_IT = 0.9;
/** Shares of values that are the lowest or the highest: few in most pictures, many where a network cuts off the rest. */
const [FEW_EXTREMES, MANY_EXTREMES] = [0.3, 0.7];
/** What models for [0, 1] and [-1, 1] stay within. */
const SMALL = 4;

/** Whether a picture shows enough to judge by what a model makes of it: the first frames of a video may all be black. */
export function isTelling({ width, height, data }: Picture): boolean {
  const step = 3 * Math.max(1, Math.floor((width * height) / 10_000));
  let [count, sum, squares] = [0, 0, 0];
  for (let at = 0; at + 2 < data.length; at += step, count += 1) {
    const value = brightnessOf(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0);
    sum += value;
    squares += value ** 2;
  }
  return Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)) >= LEAST_CONTRAST;
}

/** The values of a picture that a model gave. */
interface Values {
  least: number;
  most: number;
  /** Of the channel with the widest span. */
  span: number;
  finite: boolean;
  /** The share of values below that number, or above the other. */
  below: (limit: number) => number;
  above: (limit: number) => number;
}

/**
 * Nothing is copied, and only the bounds are those of all values: a large picture has hundreds of megabytes of them.
 * @param pixels about how many are looked at, spread over the picture; left out: all.
 */
function measure(values: TensorValues, image: ImageTensor, pixels = Infinity): Values {
  const channels = channelsOf(image);
  const plane = values.length / channels;
  const [across, along] = image.layout === 'NHWC' ? [channels, 1] : [1, plane];
  // Odd, so that it does not go down columns.
  const stepFor = (most: number) => across * (Math.floor(plane / most) | 1);
  const starts = Array.from({ length: channels }, (_, channel) => channel * along);
  const bounds = starts.map((start) => boundsOf(values, start, start + plane * across, stepFor(pixels)));
  const step = stepFor(Math.min(pixels, SHARE_PIXELS));
  const share = (sign: 1 | -1, limit: number) => {
    let [count, all] = [0, 0];
    for (const start of starts) {
      for (let at = start; at < start + plane * across; at += step, all += 1)
        if (sign * (values[at] ?? 0) < sign * limit) count += 1;
    }
    return count / all;
  };
  return {
    least: Math.min(...bounds.map(({ low }) => low)),
    most: Math.max(...bounds.map(({ high }) => high)),
    span: Math.max(...bounds.map(({ low, high }) => high - low)),
    finite: bounds.every(({ finite }) => finite),
    below: (limit) => share(1, limit),
    above: (limit) => share(-1, limit),
  };
}

function boundsOf(values: TensorValues, start: number, end: number, step: number) {
  let [low, high, finite] = [Infinity, -Infinity, true];
  for (let at = start; at < end; at += step) {
    const value = values[at] ?? 0;
    if (value < low) low = value;
    if (value > high) high = value;
    // What is not finite turns the difference into NaN.
    if (value - value !== 0) finite = false;
  }
  return { low, high, finite };
}

interface Fault {
  /** How the pictures come out. */
  look: string;
  /** Some pictures rightly look so. */
  perhaps?: boolean;
}

/** What is wrong with how a picture comes out; undefined when it looks like one. */
function findFault(values: Values, card: ImageTensor): Fault | undefined {
  const look = certainFault(values, card);
  if (look !== undefined) return { look };
  const [low, high] = rangeOf(card);
  const near = (BLACK * (high - low)) / 255;
  const flat = values.below(low + near) + values.above(high - near) >= MOST_OF_IT;
  return flat ? { look: 'without any shades', perhaps: true } : undefined;
}

function certainFault(values: Values, card: ImageTensor): string | undefined {
  if (!values.finite) return 'empty';
  const [low, high] = rangeOf(card);
  const byte = (high - low) / 255;
  if (values.most <= low + BLACK * byte) return 'black';
  if (values.least >= high - BLACK * byte) return 'white';
  if (values.span < byte) return 'in one colour';
  if (values.above(high + FAR * byte) >= MOST_OF_IT) return 'white';
  return values.below(low - FAR * byte) >= MOST_OF_IT ? 'black' : undefined;
}

/** The values that a model gives for black and white, with the mean and the deviation of the first channel. */
function rangeOf({ range, mean, std }: ImageTensor): Range {
  const [low, high] = range.map((value) => (value - ofChannel(mean, 0, 0)) / ofChannel(std, 0, 1));
  return [low ?? 0, high ?? 1];
}

/**
 * The range that values seem to have; undefined when they show nothing.
 * @param extremes how many of them may be the lowest or the highest, as those of a network that gets too much are, as a share.
 */
function seemingRange(values: Values, extremes = MANY_EXTREMES): Range | undefined {
  if (!values.finite) return undefined;
  const small = values.least >= -SMALL && values.most <= SMALL;
  const scale = small ? 1 : 255;
  const edge = values.span / 100;
  const atEdges = values.above(values.most - edge) + values.below(values.least + edge);
  if (values.span < 0.02 * scale || atEdges > extremes) return undefined;
  if (!small) return [0, 255];
  return values.below(-0.05) > 0.15 ? [-1, 1] : [0, 1];
}

const USUAL: Range[] = [
  [-1, 1],
  [0, 1],
  [0, 255],
];

/**
 * Judges by one telling picture whether the card's range can be the model's, which many models do not say: with the wrong one pictures
 * come out black, white or in one colour. The ranges that are probably meant are found by running the model on the same picture with others.
 * @param values of the model's output for this picture.
 * @param run gives the output for the same picture with another range of the input.
 * @returns a sentence with what to write into the card; undefined when the picture looks like one.
 */
export async function findDoubt(
  values: TensorValues,
  card: Pick<ModelCard, 'input'> & { output: ImageTensor },
  run: (range: Range) => Promise<TensorValues>,
): Promise<string | undefined> {
  const { output } = card;
  if (findFault(measure(values, output, GLANCED_PIXELS), output) === undefined) return undefined;
  const found = measure(values, output);
  const fault = findFault(found, output);
  if (fault === undefined) return undefined;
  // A picture of plain colours has no shades.
  const lines = await findLines(found, card, run, [
    FEW_EXTREMES,
    MANY_EXTREMES,
    ...(fault.perhaps === true ? [] : [Infinity]),
  ]);
  if (lines === undefined && fault.perhaps === true) return undefined;
  const [least, most] = [rounded(found.least), rounded(found.most)];
  const seen = found.finite
    ? `the model's values ${least === most ? `are all ${least}` : `lie between ${least} and ${most}`}, and ${output.range.join(' and ')} are taken for black and white`
    : 'the model gives values that are not finite numbers';
  const what = `The pictures come out ${fault.look}: ${seen}.`;
  const way = lines ?? 'the right "range" of "input" and "output"';
  return `${what} Write ${way} into the model card, or the range that the model's author names.`;
}

async function findLines(
  found: Values,
  { input, output }: Pick<ModelCard, 'input'> & { output: ImageTensor },
  run: (range: Range) => Promise<TensorValues>,
  tries: number[],
): Promise<string | undefined> {
  if (output.channels === 'grey' && input.channels !== 'grey') return '{ "output": { "range": "auto" } }';
  const own = seemingRange(found);
  if (own && !equal(own, output.range)) return line({ output: own });
  if (input.type === 'uint8') return undefined;
  const usual = USUAL.filter((range) => !equal(range, input.range));
  const seen: { range: Range; given: (Range | undefined)[] }[] = [];
  for (const range of usual) {
    const values = await run(range).catch(() => undefined);
    if (values === undefined) continue;
    const measured = measure(values, output);
    seen.push({ range, given: tries.map((extremes) => seemingRange(measured, extremes)) });
  }
  for (const index of tries.keys()) {
    const given = seen.map((each) => ({ range: each.range, given: each.given[index] }));
    const same = given.find((each) => each.given && equal(each.given, each.range));
    if (same) return line({ input: same.range, ...(!equal(output.range, input.range) && { output: same.range }) });
    const other = given.find((each) => each.given);
    if (other) return line({ input: other.range, output: other.given });
  }
  return undefined;
}

const equal = ([low, high]: readonly number[], [otherLow, otherHigh]: readonly number[]) =>
  low === otherLow && high === otherHigh;

function line(ranges: { input?: Range; output?: Range }): string {
  const parts = Object.entries(ranges).map(([name, range]) => `"${name}": { "range": [${range.join(', ')}] }`);
  return `{ ${parts.join(', ')} }`;
}

const rounded = (value: number) => Number(value.toPrecision(3));

/** The failure that ends the job, because every other picture would come out likewise. */
export const doubtful = (sentence: string) =>
  new JobError(
    'user',
    `${sentence} To have the pictures all the same, say --yes, or "doubtfulPictures": true under "tolerate" in the job.`,
  );
