import type { AppFunction } from './app/function-registry.js';

const DURABLE = ['orchestrationTrigger', 'entityTrigger', 'activityTrigger'];

/**
 * The app's functions as Core Tools list them at start: those with an address first, then those that something triggers, then durable
 * ones by kind.
 */
export function functionList(functions: readonly AppFunction[], url: string, routePrefix: string): string {
  const rank = ({ triggerType }: AppFunction): number =>
    triggerType === 'httpTrigger' ? -2 : DURABLE.indexOf(triggerType);
  const sorted = functions.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
  const lines = sorted.map((each) => `    ${each.name}: ${what(each, url, routePrefix)}`);
  return ['Functions:', '', ...lines, '', ''].join('\n');
}

function what({ name, triggerType, trigger }: AppFunction, url: string, routePrefix: string): string {
  if (triggerType !== 'httpTrigger') return triggerType;
  const { route = name, methods = [] } = trigger as { route?: string; methods?: string[] };
  const path = [routePrefix, route].map((part) => part.replaceAll(/^\/+|\/+$/g, '')).filter((part) => part !== '');
  return `[${methods.map((method) => method.toUpperCase()).join(',')}] ${[url, ...path].join('/')}`;
}
