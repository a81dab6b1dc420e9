import { UserFault } from '../log.js';
import type { Binding, FunctionMetadata } from './core-types.js';

export type TriggerType =
  'httpTrigger' | 'orchestrationTrigger' | 'activityTrigger' | 'timerTrigger' | 'queueTrigger' | 'blobTrigger';

/** One function of the app, with its trigger found by type: binding names carry a hash and mean nothing. */
export interface AppFunction {
  name: string;
  metadata: FunctionMetadata;
  triggerType: TriggerType;
  trigger: Binding;
  clients: Binding[];
}

const TRIGGERS: Record<string, TriggerType> = {
  httptrigger: 'httpTrigger',
  orchestrationtrigger: 'orchestrationTrigger',
  activitytrigger: 'activityTrigger',
  timertrigger: 'timerTrigger',
  queuetrigger: 'queueTrigger',
  blobtrigger: 'blobTrigger',
};
const CLIENTS = new Set(['durableclient', 'orchestrationclient']);

/** The app's functions; names compare without regard to case, as in Azure. */
export class FunctionRegistry {
  readonly #functions = new Map<string, AppFunction>();

  add(metadata: FunctionMetadata): void {
    const key = metadata.name.toLowerCase();
    if (this.#functions.has(key))
      throw new UserFault(`Two functions are called '${metadata.name}': rename one of them.`);
    this.#functions.set(key, describe(metadata));
  }

  /** Takes these functions instead of those that it has. */
  replace(functions: readonly FunctionMetadata[]): void {
    this.#functions.clear();
    for (const metadata of functions) this.add(metadata);
  }

  all(): AppFunction[] {
    return [...this.#functions.values()];
  }

  find(triggerType: TriggerType, name: string): AppFunction | undefined {
    const found = this.#functions.get(name.toLowerCase());
    return found?.triggerType === triggerType ? found : undefined;
  }

  names(triggerType: TriggerType): string[] {
    return this.all()
      .filter((each) => each.triggerType === triggerType)
      .map((each) => each.name);
  }
}

const KINDS = { activity: 'activityTrigger', orchestrator: 'orchestrationTrigger', entity: undefined } as const;

/** The extension's words for a call of a function that is not there. */
export function unknownFunction(kind: keyof typeof KINDS, name: string, functions: FunctionRegistry): string {
  const trigger = KINDS[kind];
  const known = trigger === undefined ? [] : functions.names(trigger).map((each) => `'${each}'`);
  const info =
    known.length > 0
      ? `The following are the known ${kind} functions: ${known.join(', ')}.`
      : `No ${kind} functions are currently registered!`;
  return `The function '${name}' doesn't exist, is disabled, or is not an ${kind} function. Additional info: ${info}`;
}

function describe(metadata: FunctionMetadata): AppFunction {
  const bindings = Object.values(metadata.bindings);
  const trigger = bindings.find((binding) => binding.type.toLowerCase().endsWith('trigger'));
  if (!trigger) throw new UserFault(`Function '${metadata.name}' has no trigger.`);
  const triggerType = TRIGGERS[trigger.type.toLowerCase()];
  if (!triggerType) {
    throw new UserFault(
      `Function '${metadata.name}' uses the trigger '${trigger.type}', which this host does not support yet.`,
    );
  }
  if (trigger['sdkBinding'] === true)
    throw new UserFault(
      `Function '${metadata.name}' asks for sdkBinding, which this host does not support yet: leave it out, and the function gets the whole blob.`,
    );
  if (metadata.retryOptions && triggerType !== 'httpTrigger')
    throw new UserFault(
      `Function '${metadata.name}' asks for retries by the host, which this host does not support yet.`,
    );
  if (bindings.some((binding) => binding['durableRequiresGrpc'] === true))
    throw new UserFault(
      `Function '${metadata.name}' is one of durable-functions 4, which speaks gRPC to its host; this host speaks to version 3.`,
    );
  const others = bindings.filter((binding) => binding !== trigger);
  const unsupported = others.find((binding) => !CLIENTS.has(binding.type.toLowerCase()) && binding.type !== 'http');
  if (unsupported) {
    throw new UserFault(
      `Function '${metadata.name}' uses the binding '${unsupported.type}', which this host does not support yet.`,
    );
  }
  return {
    name: metadata.name,
    metadata,
    triggerType,
    trigger,
    clients: others.filter((each) => CLIENTS.has(each.type.toLowerCase())),
  };
}
