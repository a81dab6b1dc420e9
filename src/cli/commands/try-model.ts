import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ScoredFormat } from '../../container-contract/places.js';
import type { Device } from '../../job/compute-choice.js';
import { hideSecrets, JobError } from '../../job/failure.js';
import { endingOf, FRAME_FORMATS } from '../../job/items/formats.js';
import { completeCard } from '../../model-card/complete-card.js';
import { draftCard } from '../../model-card/draft-card.js';
import { hintsOf } from '../../model-card/hints.js';
import { parseLabels } from '../../model-card/labels.js';
import { type ModelCard, parseCard } from '../../model-card/schema.js';
import { describeTensor, type TensorSignature } from '../../model-card/signature.js';
import { createModelInspector } from '../../scorer/engine/inspect/inspect.js';
import { type Tried, tryPicture } from '../../scorer/run/try-picture.js';
import { APP_FOLDER } from '../installed.js';
import {
  checkDistinct,
  checkInputFile,
  checkModelFiles,
  checkOutputFile,
  filesOfModel,
  isModelFile,
  type ModelChoice,
} from '../score/user-files.js';
import { joinModel } from '../score/whole-model.js';

export interface TryOptions extends ModelChoice {
  picture: string;
  out?: string;
  /** Where the output goes without `out`, but for its ending. */
  base: string;
  overwrite: boolean;
  /** Writes the picture although it looks wrong. */
  yes: boolean;
  device: Device;
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
  const { picture, style, device, base, overwrite, yes } = options;
  const choice = bundled(options);
  await checkInputFile(picture, 'picture');
  await checkModelFiles(choice);
  const beside = await filesOfModel(choice);
  const partial = parseCard(beside.card === undefined ? '{}' : await readFile(beside.card, 'utf8'));
  const labels = beside.labels === undefined ? undefined : parseLabels(await readFile(beside.labels, 'utf8'));
  const whole = await joinModel(choice.model);
  try {
    const name = path.basename(choice.model);
    // A model that is broken may bring down the process that loads it: this one is another.
    const { trial, ...signature } = await createModelInspector()(whole.file, name, device, {
      card: partial,
      ...(labels && { labels }),
    });
    const card = completeCard(partial, signature, labels, trial?.runs);
    if (yes && 'assumed' in card.output) delete card.output.assumed;
    if (style !== undefined && card.style === null)
      throw new JobError('user', `The model ${name} takes no style picture; leave --style out.`);
    const ending = endingFor(card, options.out);
    const out = options.out ?? `${base}.${ending}`;
    await checkOutputFile(out, '--out', overwrite);
    await checkDistinct([['--out', out]], [picture, choice.model, ...(style === undefined ? [] : [style])]);
    const files = {
      model: await bytesOf(whole.file),
      picture: await bytesOf(picture),
      ...(style !== undefined && { style: await bytesOf(style) }),
    };
    const { output, codec, said, milliseconds, ...ran } = await tryPicture(files, {
      name: path.basename(picture),
      card,
      ending,
      device,
    });
    const result = ending === 'json' ? recordIn(output) : undefined;
    await writeFile(out, ending === 'json' ? `${JSON.stringify(result, null, 2)}\n` : output);
    return {
      model: choice.model,
      picture,
      output: out,
      bytes: output.length,
      gives: card.output.kind ?? 'image',
      inputs: signature.inputs,
      outputs: signature.outputs,
      device: ran.device,
      codec,
      milliseconds,
      assumed:
        beside.card === undefined
          ? draftCard(signature, hintsOf(signature)).questions.map((each) => hideSecrets(each))
          : [],
      warnings: said,
      ...(result !== undefined && { result }),
      card,
    };
  } finally {
    await whole.remove();
  }
}

/** What the model says of the picture, without that by which the app tells one picture from another. */
function recordIn(output: Uint8Array): Record<string, unknown> {
  const { input: _, ...record } = JSON.parse(Buffer.from(output).toString('utf8')) as Record<string, unknown>;
  return record;
}

const bytesOf = async (file: string) => new Uint8Array(await readFile(file));

/** A model of the app by its name, as its file. @throws JobError `user` when there is none of this name. */
function bundled<T extends ModelChoice>(choice: T): T {
  if (isModelFile(choice.model)) return choice;
  const file = path.join(APP_FOLDER, 'models', `${choice.model}.onnx`);
  if (existsSync(file)) return { ...choice, model: file };
  throw new JobError(
    'user',
    `No model "${choice.model}" comes with the app; name an .onnx file, or one that "models list" shows.`,
  );
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
  ].join('\n');
}

function cardInWords({ input }: ModelCard): string {
  const { layout, channels, range, type } = input;
  return `${input.name}: ${channels} as ${type} ${layout}, values ${range.join(' to ')}`;
}
