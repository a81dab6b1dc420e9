import { createHmac } from 'node:crypto';
import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import type { CallerAnswer } from '../api/callers.js';
import { type DailyLimits, nextDay } from '../job/daily-limits.js';
import { isJobId } from '../job/spec.js';
import { readDay } from '../job-store/callers/days.js';
import { readOwner } from '../job-store/callers/owners.js';
import type { Storage } from '../storage/storage.js';
import { answerErrors, type Handler, refuse } from './http.js';
import { noJob } from './jobs.js';

export interface CallerSettings {
  /** Who vouches for callers: the Functions host, which knows their keys, or App Service authentication, which knows their Entra ID. */
  authentication: 'keys' | 'entra';
  /** Whether callers are kept apart: each sees its own jobs alone. */
  ownership: boolean;
  /** Ids of the callers who see all jobs nevertheless. */
  operators: string[];
}

export interface Caller {
  /** The same in all requests of a caller, and no secret: `key-…`, `user-…`, or `nobody` where the host asks for no key. */
  id: string;
  /** Which jobs it may see, end and start once more, and whose files it may name. */
  sees: 'all' | 'own';
}

type HandlerOfCaller = (request: HttpRequest, context: InvocationContext, caller: Caller) => Promise<HttpResponseInit>;

export interface Callers {
  /** Makes an HTTP function that knows who calls, and whose errors become answers. */
  known: (handle: HandlerOfCaller) => Handler;
  /** Lets those through to a function of one job who may see the job; for all others there is no such job. */
  ofJob: (handle: Handler) => Handler;
  /** Lets those through who may see everything. */
  ofAll: (handle: Handler) => Handler;
  maySee: (caller: Caller, jobId: string) => Promise<boolean>;
}

const MOST_REMEMBERED = 10_000;

/** @param readSalt a secret of the app, with which keys become ids: nobody can try out keys against an id. */
export function createCallers(
  storage: Storage,
  { authentication, ownership, operators }: CallerSettings,
  readSalt: () => Promise<string>,
): Callers {
  let salt: Promise<string> | undefined;
  /** By job; the latest is last. Nobody changes the owner of a job. */
  const owners = new Map<string, string>();

  async function idOfKey(key: string | undefined): Promise<string> {
    if (key === undefined) return 'nobody';
    salt ??= readSalt().catch((error: unknown) => {
      salt = undefined;
      throw error;
    });
    return `key-${createHmac('sha256', await salt)
      .update(key)
      .digest('hex')
      .slice(0, KEY_DIGITS)}`;
  }

  async function find({ headers, query }: HttpRequest): Promise<Caller | undefined> {
    const id = authentication === 'entra' ? principalOf(headers) : await idOfKey(keyOf(headers, query));
    return id === undefined ? undefined : { id, sees: !ownership || operators.includes(id) ? 'all' : 'own' };
  }

  async function maySee({ id, sees }: Caller, jobId: string): Promise<boolean> {
    if (sees === 'all') return true;
    const owner = owners.get(jobId) ?? (await readOwner(storage, jobId))?.owner;
    if (owner === undefined) return false;
    const [oldest] = owners.keys();
    if (owners.size >= MOST_REMEMBERED && oldest !== undefined) owners.delete(oldest);
    owners.set(jobId, owner);
    return owner === id;
  }

  const known: Callers['known'] = (handle) =>
    answerErrors(async (request, context) => {
      const caller = await find(request);
      return caller ? handle(request, context, caller) : refuse(401, LOG_IN);
    });
  const isOpen = authentication === 'keys' && !ownership;
  return {
    known,
    maySee,
    ofJob: (handle) =>
      isOpen
        ? handle
        : known(async (request, context, caller) => {
            const { id = '' } = request.params;
            if (!(isJobId(id) && (await maySee(caller, id)))) return refuse(404, noJob(id));
            return handle(request, context);
          }),
    ofAll: (handle) =>
      isOpen
        ? handle
        : known(async (request, context, { sees }) =>
            sees === 'all' ? handle(request, context) : refuse(403, OPERATORS_ONLY),
          ),
  };
}

/** `GET /api/caller`: who the app takes the caller for, and how much of the day is used. */
export const createGetCaller = ({
  storage,
  callers,
  dailyLimits,
  version,
}: {
  storage: Storage;
  callers: Callers;
  dailyLimits: DailyLimits;
  version: string;
}) =>
  callers.known(async (_, __, { id, sees }) => {
    const now = Date.now();
    const today = await readDay(storage, id, now);
    const { jobs = null, items = null, bytes = null } = dailyLimits;
    const limits = { jobs, items, bytes };
    const nextDayAt = new Date(nextDay(now)).toISOString();
    return { jsonBody: { version, id, sees, today, limits, nextDayAt } satisfies CallerAnswer };
  });

const LOG_IN =
  'Nobody knows who sends this request; send a token of Entra ID for this app in the header "Authorization".';
/** Why the inbox is closed to a caller. */
export const OPERATORS_ONLY =
  'The inbox is the deployment\'s own, as callers of this app are kept apart; upload the file as "video", "audio", "style" or "images", and start a job with it.';

/** 96 bits: no two keys have the same. */
const KEY_DIGITS = 24;

/**
 * The key that the host has let in: in the header, or else in the query. Of several values the host looks at the first, and hands over all of
 * them, with commas in between (azure-functions-host, AuthenticationLevelHandler.cs).
 */
function keyOf(headers: HttpRequest['headers'], query: HttpRequest['query']): string | undefined {
  const inQuery = () => [...query].find(([name]) => name.toLowerCase() === 'code')?.[1];
  const [first = ''] = (headers.get('x-functions-key') ?? inQuery() ?? '').split(',');
  return first.trim() || undefined;
}

/**
 * Who App Service authentication says it is; undefined when it says nothing. It lets no client set these headers:
 * https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
 */
function principalOf(headers: HttpRequest['headers']): string | undefined {
  const id = headers.get('x-ms-client-principal-id') ?? '';
  const isOfEntra = headers.get('x-ms-client-principal-idp') === 'aad';
  return isOfEntra && /^[A-Za-z0-9-]{1,64}$/.test(id) ? `user-${id.toLowerCase()}` : undefined;
}
