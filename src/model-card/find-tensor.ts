import { JobError } from '../job/failure.js';
import { describeTensor, type TensorSignature } from './model-signature.js';

/** @throws JobError `user`: the model has no tensor of this name. */
export function find(tensors: TensorSignature[], name: string | undefined, side: string): TensorSignature | undefined {
  if (name === undefined) return undefined;
  const found = tensors.find((tensor) => tensor.name === name);
  if (found !== undefined) return found;
  throw new JobError('user', `The model card names the ${side} "${name}", but the model has only ${list(tensors)}.`);
}

export function list(tensors: TensorSignature[]): string {
  return tensors.length === 0 ? 'none' : tensors.map(describeTensor).join(' and ');
}
