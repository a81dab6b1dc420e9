import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { completeCard } from '../../model-card/complete-card.js';
import { type CardDraft, draftCard } from '../../model-card/draft-card.js';
import { hideSecrets, JobError } from '../../job/failure.js';
import { createModelInspector, type ModelInspector } from '../../scorer/engine/inspect/inspect.js';
import { hintsOf } from '../../model-card/hints.js';
import { checkInputFile, checkOutputFile } from '../score/user-files.js';
import { joinInto, joinModel } from '../score/whole-model.js';

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

export function cardText({ card }: CardDraft): string {
  return `${JSON.stringify(card, null, 2)}\n`;
}

export function describeQuestions({ questions }: CardDraft): string[] {
  if (questions.length === 0) return ['The model says everything that its card needs.'];
  return ['The model does not say:', ...questions.map((question) => `- ${hideSecrets(question)}`)];
}
