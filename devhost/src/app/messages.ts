import type { FunctionMetadata, TypedData } from './core-types.js';
import type { TriggerType } from './function-registry.js';
import type { InvocationInput } from './invoker.js';

/** What the host tells a worker process. */
export type ToWorker =
  | { kind: 'load'; folder: string; main: string | undefined; verbose: boolean }
  /** Comes before the first call: the JSON text that every durableClient binding receives. */
  | { kind: 'client'; payload: string }
  | { kind: 'call'; id: number; type: TriggerType; name: string; input: InvocationInput }
  /** Run the appTerminate hooks and end. */
  | { kind: 'terminate' };

/** What a worker process tells the host. */
export type FromWorker =
  | ({ kind: 'loaded' } & LoadedApp)
  /** The app cannot be loaded. */
  | { kind: 'refused'; reason: Failure }
  /** Comes before the function begins. */
  | { kind: 'begun'; id: number }
  | { kind: 'result'; id: number; value: TypedData | null | undefined }
  | { kind: 'failure'; id: number; reason: Failure }
  /** The app threw where nobody catches: the process ends. */
  | { kind: 'crash'; reason: Failure };

/** An app that is loaded. */
export interface LoadedApp {
  functions: FunctionMetadata[];
  /** Paths of the files that `main` of its package.json names. */
  files: string[];
}

/** All of an error that crosses the border, as in Azure. */
export interface Failure {
  message: string;
  stack: string | undefined;
}

export function failureOf(thrown: unknown): Failure {
  return thrown instanceof Error
    ? { message: thrown.message, stack: thrown.stack }
    : { message: String(thrown), stack: undefined };
}

export function errorOf({ message, stack }: Failure): Error {
  return Object.assign(new Error(message), { stack });
}
