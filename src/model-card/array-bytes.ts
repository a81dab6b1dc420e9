import { NPY_TYPES, type TensorSignature, type TrialRun } from './signature.js';

/** What a dimension is taken for that neither the model nor a run of it tells, such as the height of a picture. */
const FREE_DIMENSION = 1024;
/** Pixels of a picture that nobody has seen yet. */
const USUAL_PIXELS = FREE_DIMENSION * FREE_DIMENSION;
const HEADER_BYTES = 128;

interface Known {
  /** Pictures that the model takes at a time. */
  batch?: number | undefined;
  /** On pictures of different sizes. */
  runs: TrialRun[];
  /** Of the pictures that will be scored. */
  pixels?: number | undefined;
}

/** About how many bytes the `.npy` file of a tensor has for one picture; exactly where the model fixes its shape. */
export function arrayBytes(tensor: TensorSignature, { batch = 1, runs, pixels = USUAL_PIXELS }: Known): number {
  const [one, other] = runs.flatMap(({ input, outputs }) => {
    const shape = outputs[tensor.name];
    return shape === undefined ? [] : [{ shape, pixels: input.width * input.height }];
  });
  const values = one ? one.shape.reduce(times, 1) : fixedValues(tensor.shape, batch);
  const grows = one && other && other.shape.reduce(times, 1) !== values;
  const valueBytes = Number(/\d+$/.exec(NPY_TYPES[tensor.type] ?? '')?.[0] ?? 8);
  return HEADER_BYTES + Math.ceil(grows ? (values * pixels) / one.pixels : values) * valueBytes;
}

const times = (product: number, dimension: number) => product * dimension;

/** @param shape empty when nothing is known of it. */
function fixedValues(shape: (number | string)[], batch: number): number {
  const [first, ...rest] = shape;
  if (first === undefined) return USUAL_PIXELS;
  const own = typeof first === 'string' || first === batch ? 1 : first;
  return rest.map((dimension) => (typeof dimension === 'number' ? dimension : FREE_DIMENSION)).reduce(times, own);
}
