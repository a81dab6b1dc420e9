import { UserFault } from '../log.js';

/** The ASP.NET constraints this host knows, as expressions find-my-way puts on a parameter. */
const CONSTRAINTS: Record<string, string> = {
  int: '^-?\\d+$',
  long: '^-?\\d+$',
  alpha: '^[A-Za-z]+$',
  bool: '^(?:true|false)$',
  guid: '^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$',
};

/** An ASP.NET route template in find-my-way's notation: one path, or two when its last parameter is optional. */
export interface RoutePaths {
  paths: string[];
  /** The parameter that takes the rest of the path, which find-my-way calls `*`. */
  rest: string | undefined;
}

/** Translates `{id}`, `{id?}`, `{id:int}`, `{*rest}` and literals; anything else is refused by name. */
export function translateRoute(functionName: string, prefix: string, template: string): RoutePaths {
  const segments = `${prefix}/${template}`.split('/').filter((segment) => segment !== '');
  const result: RoutePaths = { paths: [], rest: undefined };
  let path = '';
  for (const segment of segments) {
    const rest = /^\{\*{1,2}(\w+)\??\}$/.exec(segment)?.[1];
    const optional = /^\{(\w+)((?::\w+)?)\?\}$/.exec(segment);
    if (rest !== undefined) {
      result.rest = rest;
      result.paths.push(path || '/');
      path += '/*';
    } else if (optional) {
      result.paths.push(path || '/');
      path += `/${parameter(functionName, optional[1] ?? '', optional[2] ?? '')}`;
    } else {
      path += `/${segment.replaceAll(/\{(\w+)((?::\w+)?)\}/g, (_, name: string, constraint: string) => parameter(functionName, name, constraint))}`;
    }
  }
  if (path.includes('{'))
    throw new UserFault(`Function '${functionName}' has the route '${template}', which this host cannot read.`);
  result.paths.push(path || '/');
  return result;
}

function parameter(functionName: string, name: string, constraint: string): string {
  if (constraint === '') return `:${name}`;
  const expression = CONSTRAINTS[constraint.slice(1)];
  if (expression === undefined) {
    const known = Object.keys(CONSTRAINTS).join(', ');
    throw new UserFault(
      `Function '${functionName}' uses the route constraint '${constraint.slice(1)}'; this host knows ${known}.`,
    );
  }
  return `:${name}(${expression})`;
}
