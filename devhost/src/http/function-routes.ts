import createRouter from 'find-my-way';
import type { HttpCookie, HttpData, TypedData } from '../app/core-types.js';
import type { AppFunction } from '../app/function-registry.js';
import type { Invoker } from '../app/invoker.js';
import { type Log, messageOf, UserFault } from '../log.js';
import { withoutCredentials } from '../protocol/credentials.js';
import { type ExportSpans, functionSpan } from '../tracing/spans.js';
import { beginTrace, newSpanId, traceOf } from '../tracing/trace-context.js';
import type { Answer, Handler, Request } from './http-server.js';
import { type Keys, UNAUTHORIZED } from './keys.js';
import { translateRoute } from './route-template.js';

/** What functions need that are called over HTTP. */
export interface Services {
  invoker: Invoker;
  log: Log;
  exportSpans: ExportSpans | undefined;
  /** Left out where the host asks for no keys. */
  keys: Keys | undefined;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;
type Method = (typeof METHODS)[number];

/**
 * Serves the app's HTTP functions. As in Azure an unknown path or method is 404, an error in a handler is 500 with an
 * empty body, and a handler that returns nothing is 204. Where there are keys, a request without
 * the one that the function's level asks for is 401.
 */
export function functionRoutes(functions: AppFunction[], prefix: string, services: Services): Handler {
  const router = createRouter({ ignoreTrailingSlash: true, caseSensitive: false, maxParamLength: 2000 });
  const routes = new Map<string, { target: AppFunction; rest: string | undefined }>();
  for (const target of functions) {
    const { route, methods } = target.trigger as { route?: string; methods?: string[] };
    const { paths, rest } = translateRoute(target.name, prefix, route ?? target.name);
    routes.set(target.name, { target, rest });
    for (const path of paths) {
      try {
        router.on(methodsOf(methods), path, () => undefined, target.name);
      } catch (error) {
        throw new UserFault(`The route of function '${target.name}' cannot be used: ${messageOf(error)}`);
      }
    }
  }
  return async (request) => {
    const method = METHODS.find((each) => each === request.method);
    const found = method ? router.find(method, keepSlashes(request.url.pathname)) : null;
    const route = found ? routes.get(String(found.store)) : undefined;
    if (!found || !route) return { status: 404 };
    const { name, trigger } = route.target;
    // What says nothing, or a level that this host does not know, stays closed to all but the master key.
    const authLevel = typeof trigger['authLevel'] === 'string' ? trigger['authLevel'].toLowerCase() : '';
    const { keys } = services;
    if (keys && !(await keys.opens({ authLevel, functionName: name }, request))) return UNAUTHORIZED;
    return await answer(route.target, request, parameters(found.params, route.rest), services);
  };
}

/** As in ASP.NET Core an escaped slash stays escaped in a parameter; everything else is unescaped. */
const keepSlashes = (path: string) => path.replaceAll(/%2f/gi, (slash) => `%25${slash.slice(1)}`);

function methodsOf(methods: string[] | undefined): Method[] {
  const wanted = (methods ?? []).map((each) => each.toUpperCase());
  const known = METHODS.filter((each) => wanted.includes(each));
  return known.length > 0 ? known : [...METHODS];
}

function parameters(found: Record<string, string | undefined>, rest: string | undefined): Record<string, string> {
  const entries = Object.entries(found).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return Object.fromEntries(entries.map(([name, value]) => [name === '*' && rest !== undefined ? rest : name, value]));
}

async function answer(
  target: AppFunction,
  request: Request,
  params: Record<string, string>,
  { invoker, log, exportSpans }: Services,
): Promise<Answer> {
  const caller = traceOf(request.headers);
  const trace = caller ? { ...caller, spanId: newSpanId() } : beginTrace();
  const start = new Date().toISOString();
  let given: Answer = { status: 500 };
  try {
    given = toAnswer(await invoker.invoke(target, { data: { http: toHttpData(request, params) }, trace }));
  } catch (error) {
    log.write('error', target.name, withoutCredentials(messageOf(error)));
  }
  const ended = { ok: given.status < 500, dimensions: requestDimensions(target, request, given) };
  exportSpans?.([functionSpan(target.name, { trace, caller, start }, ended)]);
  return given;
}

/** Names the route, not the address: that may hold what is nobody's business. */
function requestDimensions(target: AppFunction, request: Request, { status }: Answer): Record<string, string> {
  const { route } = target.trigger;
  return {
    'http.request.method': request.method,
    'http.route': typeof route === 'string' ? route : target.name,
    'http.response.status_code': String(status),
  };
}

function toHttpData(request: Request, params: Record<string, string>): HttpData {
  const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return {
    method: request.method,
    url: request.url.href,
    nullableHeaders: nullable(headers),
    nullableQuery: nullable(queryOf(request.url)),
    nullableParams: nullable(Object.entries(params)),
    ...(request.body.length > 0 ? { body: { bytes: request.body } } : {}),
  };
}

/** Names in any case are one parameter, and several values of it one text (ASP.NET Core's StringValues). */
function queryOf(url: URL): [string, string][] {
  const found = new Map<string, [string, string]>();
  for (const [name, value] of url.searchParams) {
    const key = name.toLowerCase();
    const before = found.get(key);
    found.set(key, before ? [before[0], `${before[1]},${value}`] : [name, value]);
  }
  return [...found.values()];
}

function nullable(entries: [string, string][]): Record<string, { value: string }> {
  return Object.fromEntries(entries.map(([name, value]) => [name, { value }]));
}

function toAnswer(returned: TypedData | null | undefined): Answer {
  const http = returned?.http;
  if (!http) return { status: 204 };
  const headers: Record<string, string | string[]> = { ...http.headers };
  if (http.cookies?.length) headers['set-cookie'] = http.cookies.map((each) => cookieText(each));
  const { body } = http;
  return { status: Number(http.statusCode ?? 200), headers, body: body?.bytes ?? body?.string ?? body?.json ?? '' };
}

const SAME_SITE = { none: undefined, lax: 'lax', strict: 'strict', explicitNone: 'none' } as const;

/** The Set-Cookie text of a cookie in the worker protocol's form, written as ASP.NET Core does. */
function cookieText(cookie: HttpCookie): string {
  const parts = [`${cookie.name}=${encodeURIComponent(cookie.value)}`];
  if (cookie.expires) parts.push(`expires=${new Date(cookie.expires.value.seconds * 1000).toUTCString()}`);
  if (cookie.maxAge) parts.push(`max-age=${cookie.maxAge.value}`);
  if (cookie.domain) parts.push(`domain=${cookie.domain.value}`);
  if (cookie.path) parts.push(`path=${cookie.path.value}`);
  if (cookie.secure?.value) parts.push('secure');
  const sameSite = SAME_SITE[cookie.sameSite ?? 'none'];
  if (sameSite) parts.push(`samesite=${sameSite}`);
  if (cookie.httpOnly?.value) parts.push('httponly');
  return parts.join('; ');
}
