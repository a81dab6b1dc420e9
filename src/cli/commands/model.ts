import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Option } from 'commander';
import { completeCard } from '../../model-card/complete-card.js';
import { type CardDraft, draftCard } from '../../model-card/draft-card.js';
import { DEVICES } from '../../job/compute-choice.js';
import { hideSecrets, JobError, unbroken } from '../../job/failure.js';
import { createModelInspector, type ModelInspector } from '../../scorer/engine/inspect/inspect.js';
import { hintsOf } from '../../model-card/hints.js';
import { addExamples, addJson, addPlace, type Define, type Place } from '../around.js';
import { calling } from '../installed.js';
import { checkInputFile, checkOutputFile, isModelFile } from '../score/user-files.js';
import { joinInto, joinModel } from '../score/whole-model.js';
import type { TryOptions } from './try-model.js';

export const define: Define = (command, around) => {
  const { json, note, print, resolve, signal } = around;
  const listing = command
    .command('list', { isDefault: true })
    .description('the models that a job can name, and what they make')
    .argument('[files...]', 'also these .onnx files, or those of these folders');
  addPlace(addJson(listing), around).action(async (files: string[], place: Place) => {
    const { listModels, renderModels } = await import('./list-models.js');
    const list = await listModels(files.map(resolve), { ...place, signal });
    print(json ? JSON.stringify(list, null, 2) : renderModels(list));
  });
  const trying = command
    .command('try')
    .description('run a model on one picture, on this machine and without a stack, and write what comes out')
    .argument('<model>', 'a model that comes with the app, or an .onnx file', (text) =>
      isModelFile(text) ? resolve(text) : text,
    )
    .argument('<picture>', 'the picture', resolve)
    .option('--style <image>', 'the style picture, for a model with a style input', resolve)
    .option('--card <file>', "the model's card, when it does not lie beside the .onnx file as .json", resolve)
    .option('--labels <file>', "the names of the model's classes, when its card does not name a file", resolve)
    .option('--out <file>', 'where the output goes; by default PICTURE-MODEL here', resolve)
    .option('--overwrite', 'replace the file of an earlier run', false)
    .option('--yes', 'write the picture although it comes out black, white or in one colour', false)
    .addOption(new Option('--device <device>', 'what the model runs on').choices(DEVICES).default('auto'));
  addJson(trying).action(async (model: string, picture: string, flags: TryFlags) => {
    const { renderTried, tryModel } = await import('./try-model.js');
    const base = resolve(`${path.parse(picture).name}-${path.parse(model).name}`);
    const tried = await tryModel({ ...flags, model, picture, base });
    print(json ? JSON.stringify(tried, null, 2) : renderTried(tried));
  });
  const inspecting = command
    .command('inspect')
    .description('draft the card of an .onnx file and name what the model does not say')
    .argument('<file>', 'the .onnx file', resolve)
    .option('--out <file>', 'where the card goes; by default it is printed', resolve);
  addJson(inspecting, 'print the card and the questions as JSON').action(
    async (file: string, { out }: { out?: string }) => {
      const draft = await inspect(file, out);
      if (json) return print(JSON.stringify({ card: draft.card, questions: questionsOf(draft) }, null, 2));
      if (out === undefined) print(cardText(draft).trimEnd());
      for (const line of describeQuestions(draft)) note(line);
    },
  );
  const joining = command
    .command('join')
    .description('make one file of an .onnx file and the files beside it that hold its weights')
    .argument('<file>', 'the .onnx file', resolve)
    .requiredOption('--out <file>', 'where the whole model goes', resolve);
  addJson(joining).action(async (file: string, { out }: { out: string }) => {
    const joined = await join(file, out);
    if (json) print(JSON.stringify({ output: out, joined }, null, 2));
    else print(unbroken(`${out} holds the model with the weights of ${joined.join(', ')}.`));
  });
  addExamples(listing, ['those of the app that runs here'], ['and your own', 'models/']);
  addExamples(
    trying,
    ['paint one picture', 'starry-night', 'photo.jpg'],
    ['with a model of your own, on the CPU', 'candy.onnx', 'photo.jpg', '--out', 'candy.png', '--device', 'cpu'],
  );
  addExamples(inspecting, ['draft its card beside it', 'candy.onnx', '--out', 'candy.json']);
  addExamples(joining, ['one file of a model and its weights', 'large.onnx', '--out', 'whole.onnx']);
  command.addHelpText('after', `\nEach explains itself: ${calling('models try --help')}`);
};

type TryFlags = Omit<TryOptions, 'model' | 'picture' | 'base'>;

/**
 * Drafts a card from a model file and writes it to `out`, if one is named.
 * @throws JobError `user`: the file is no model that can be scored with, or `out` cannot be written.
 */
export async function inspect(
  file: string,
  out: string | undefined,
  inspectModel: ModelInspector = createModelInspector(),
): Promise<CardDraft> {
  await checkInputFile(file, 'model');
  if (out !== undefined) {
    if (existsSync(out))
      throw new JobError('user', `${out} exists already; remove it or name another file with --out.`);
    await checkOutputFile(out, '--out');
  }
  const whole = await joinModel(file);
  const signature = await inspectWhole(whole, path.basename(file), inspectModel);
  const draft = draftCard(signature, hintsOf(signature));
  completeCard(draft.card, signature);
  if (out !== undefined) await writeFile(out, cardText(draft));
  return draft;
}

async function inspectWhole(
  whole: Awaited<ReturnType<typeof joinModel>>,
  name: string,
  inspectModel: ModelInspector,
): ReturnType<ModelInspector> {
  try {
    return await inspectModel(whole.file, name);
  } finally {
    await whole.remove();
  }
}

/**
 * Joins a model with the files that hold its weights.
 * @returns their names.
 * @throws JobError `user`: a file is missing, or `out` cannot be written.
 */
export async function join(file: string, out: string): Promise<string[]> {
  await checkInputFile(file, 'model');
  if (existsSync(out)) throw new JobError('user', `${out} exists already; remove it or name another file with --out.`);
  await checkOutputFile(out, '--out');
  return joinInto(file, out);
}

function cardText({ card }: CardDraft): string {
  return `${JSON.stringify(card, null, 2)}\n`;
}

const questionsOf = ({ questions }: CardDraft) => questions.map((question) => hideSecrets(question));

export function describeQuestions(draft: CardDraft): string[] {
  const questions = questionsOf(draft);
  if (questions.length === 0) return ['The model says everything that its card needs.'];
  return ['The model does not say:', ...questions.map((question) => `- ${question}`)];
}
