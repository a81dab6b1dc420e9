import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Device } from '../../job/compute-choice.js';
import { hideSecrets, JobError } from '../../job/failure.js';
import { completeCard } from '../../model-card/complete-card.js';
import { draftCard } from '../../model-card/draft-card.js';
import { hintsOf } from '../../model-card/hints.js';
import { parseLabels } from '../../model-card/labels.js';
import { type ModelCard, parseCard } from '../../model-card/schema.js';
import type { ModelSignature } from '../../model-card/signature.js';
import { createModelInspector } from '../../scorer/engine/inspect/inspect.js';
import { APP_FOLDER } from '../installed.js';
import { checkModelFiles, filesOfModel, isModelFile, type ModelChoice } from './user-files.js';
import { joinModel } from './whole-model.js';

export interface OpenChoice extends ModelChoice {
  device: Device;
  /** Takes pictures for right although they look wrong. */
  yes: boolean;
}

/** A model that this process is to run. */
export interface OpenedModel {
  /** With all of its weights; it may be a temporary one. */
  file: string;
  /** As the user has it. */
  model: string;
  /** Complete. */
  card: ModelCard;
  signature: ModelSignature;
  /** What no card says and was assumed. */
  assumed: string[];
  remove: () => Promise<void>;
}

/**
 * Looks into a model in a process of its own, which one that is broken may bring down, and completes its card.
 * @throws JobError `user`: the model or its card cannot be used.
 */
export async function openModel(asked: OpenChoice): Promise<OpenedModel> {
  const choice = withBundled(asked);
  const { model, style, device, yes } = choice;
  await checkModelFiles(choice);
  const beside = await filesOfModel(choice);
  const partial = parseCard(beside.card === undefined ? '{}' : await readFile(beside.card, 'utf8'));
  const labels = beside.labels === undefined ? undefined : parseLabels(await readFile(beside.labels, 'utf8'));
  const { file, remove } = await joinModel(model);
  try {
    const name = path.basename(model);
    const request = { card: partial, ...(labels && { labels }) };
    const { trial, ...signature } = await createModelInspector()(file, name, device, request);
    const card = completeCard(partial, signature, labels, trial?.runs);
    if (yes && 'assumed' in card.output) delete card.output.assumed;
    if (style !== undefined && card.style === null)
      throw new JobError('user', `The model ${name} takes no style picture; leave --style out.`);
    const { questions } = beside.card === undefined ? draftCard(signature, hintsOf(signature)) : { questions: [] };
    return { file, model, card, signature, assumed: questions.map((each) => hideSecrets(each)), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

export const bytesOf = async (file: string) => new Uint8Array(await readFile(file));

/** A model of the app by its name, as its file. @throws JobError `user` when there is none of this name. */
function withBundled<T extends ModelChoice>(choice: T): T {
  if (isModelFile(choice.model)) return choice;
  const file = path.join(APP_FOLDER, 'models', `${choice.model}.onnx`);
  if (existsSync(file)) return { ...choice, model: file };
  throw new JobError(
    'user',
    `No model "${choice.model}" comes with the app; name an .onnx file, or one that "models list" shows.`,
  );
}
