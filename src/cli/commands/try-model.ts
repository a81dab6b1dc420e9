import path from 'node:path';
import type { ScoredFormat } from '../../container-contract/places.js';
import { JobError, unbroken } from '../../job/failure.js';
import { endingOf, FRAME_FORMATS } from '../../job/items/formats.js';
import type { ModelCard } from '../../model-card/schema.js';
import { describeTensor, type TensorSignature } from '../../model-card/signature.js';
import { type Tried, tryPictures } from '../../scorer/run/try-picture.js';
import { saveBytes } from '../client/files.js';
import { checkDistinct, checkInputFile, checkOutputFile } from '../score/user-files.js';
import { bytesOf, type OpenChoice, openModel } from '../score/open-model.js';

export interface TryOptions extends OpenChoice {
  picture: string;
  out?: string;
  /** Where the output goes without `out`, but for its ending. */
  base: string;
  overwrite: boolean;
}

export interface TriedModel {
  model: string;
  picture: string;
  output: string;
  bytes: number;
  /** What the model gives. */
  gives: string;
  inputs: TensorSignature[];
  outputs: TensorSignature[];
  /** Of the first run on a small picture, where the model takes any size. */
  device: string;
  codec: string;
  milliseconds: Tried['milliseconds'];
  /** What no card says and was assumed. */
  assumed: string[];
  warnings: string[];
  /** What the model says of the picture, where that is text. */
  result?: unknown;
  card: ModelCard;
}

/**
 * Runs a model on one picture in this very process, as a container would, and writes what comes out.
 * @throws JobError `user`: the model, its card or a picture cannot be used, or the output cannot be written.
 */
export async function tryModel(options: TryOptions): Promise<TriedModel> {
  const { picture, style, device, base, overwrite } = options;
  await checkInputFile(picture, 'picture');
  const { file, model, card, signature, assumed, remove } = await openModel(options);
  try {
    const ending = endingFor(card, options.out);
    const out = options.out ?? `${base}.${ending}`;
    await checkOutputFile(out, '--out', overwrite);
    await checkDistinct([['--out', out]], [picture, model, ...(style === undefined ? [] : [style])]);
    const files = {
      model: await bytesOf(file),
      pictures: [{ name: path.basename(picture), bytes: await bytesOf(picture) }],
      ...(style !== undefined && { style: await bytesOf(style) }),
    };
    const {
      outputs: [output = new Uint8Array()],
      codec,
      said,
      milliseconds,
      ...ran
    } = await tryPictures(files, {
      card,
      ending,
      device,
    });
    const result = ending === 'json' ? recordIn(output) : undefined;
    const written = ending === 'json' ? Buffer.from(`${JSON.stringify(result, null, 2)}\n`) : output;
    await saveBytes(written, out, overwrite);
    return {
      model,
      picture,
      output: out,
      bytes: output.length,
      gives: card.output.kind ?? 'image',
      inputs: signature.inputs,
      outputs: signature.outputs,
      device: ran.device,
      codec,
      milliseconds,
      assumed,
      warnings: said,
      ...(result !== undefined && { result }),
      card,
    };
  } finally {
    await remove();
  }
}

/** What the model says of the picture, without that by which the app tells one picture from another. */
function recordIn(output: Uint8Array): Record<string, unknown> {
  const { input: _, ...record } = JSON.parse(Buffer.from(output).toString('utf8')) as Record<string, unknown>;
  return record;
}

/** @throws JobError `user` when the output is of another kind than the file is called. */
function endingFor({ output: { kind } }: ModelCard, out: string | undefined): ScoredFormat {
  const endings: Record<string, readonly ScoredFormat[]> = {
    classes: ['json'],
    detections: ['json'],
    mask: ['png'],
    tensor: ['npy'],
  };
  const allowed = endings[kind ?? 'image'] ?? (['png', ...FRAME_FORMATS] as const);
  const [usual] = allowed;
  const wanted =
    out === undefined
      ? usual
      : endingOf(out)
          .slice(1)
          .replace(/^jpeg$/, 'jpg');
  const found = allowed.find((each) => each === wanted);
  if (found !== undefined) return found;
  throw new JobError(
    'user',
    `The model gives ${kind === undefined || kind === 'image' ? 'a picture' : kind}, so --out must end in ${[...new Set(allowed)].map((each) => `.${each}`).join(' or ')}.`,
  );
}

export function renderTried({
  model,
  output,
  gives,
  inputs,
  outputs,
  device,
  codec,
  milliseconds,
  assumed,
  warnings,
  result,
  card,
}: TriedModel): string {
  const { decode, prepare, infer, finish, encode, modelLoad } = milliseconds;
  const times = {
    'loading the model': modelLoad,
    decoding: decode,
    preparing: prepare,
    inference: infer,
    reading: finish,
    encoding: encode,
  };
  const shown = Object.entries(times).map(([what, time]) => `${what} ${time.toFixed(time < 10 ? 1 : 0)} ms`);
  return [
    `${path.basename(model)} gives ${gives === 'image' ? 'a picture' : gives}; it ran on ${device}, pictures by ${codec}.`,
    `Inputs:  ${inputs.map(describeTensor).join(', ')}`,
    `Outputs: ${outputs.map(describeTensor).join(', ')}`,
    `Card:    ${cardInWords(card)}`,
    `Times:   ${shown.join(', ')}`,
    ...(assumed.length === 0
      ? []
      : [
          'No card says, so it is assumed as a draft has it ("models inspect" writes one):',
          ...assumed.map((each) => `- ${each}`),
        ]),
    ...warnings.map((warning) => `Warning: ${warning}`),
    ...(result === undefined ? [] : [JSON.stringify(result)]),
    `Output:  ${output}`,
  ]
    .map(unbroken)
    .join('\n');
}

function cardInWords({ input }: ModelCard): string {
  const { layout, channels, range, type } = input;
  return `${input.name}: ${channels} as ${type} ${layout}, values ${range.join(' to ')}`;
}
