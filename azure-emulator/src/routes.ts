import { type Answer, refuse } from './answer.js';
import type { FaultyRequest } from './faults.js';
import type { GroupPath, Subscription } from './subscription.js';
import type { GroupBody } from './wire.js';

export interface Request {
  method: string;
  url: URL;
  body: unknown;
}

/** What a request asks for: the fault that could spoil it, and the work. */
export interface Route {
  fault: FaultyRequest;
  /** What it is about, for faults that only strike one thing. */
  subject?: string;
  run: () => Answer | Promise<Answer>;
}

const PROVIDER = 'providers/Microsoft\\.ContainerInstance';
const GROUPS = new RegExp(`^/subscriptions/([^/]+)/resourceGroups/([^/]+)/${PROVIDER}/containerGroups$`, 'i');
const GROUP = new RegExp(`^/subscriptions/([^/]+)/resourceGroups/([^/]+)/${PROVIDER}/containerGroups/([^/]+)$`, 'i');
const LOGS = new RegExp(`${GROUP.source.slice(0, -1)}/containers/[^/]+/logs$`, 'i');
const LOCATION = new RegExp(`^/subscriptions/[^/]+/${PROVIDER}/locations/([^/]+)/(usages|capabilities)$`, 'i');
const RIGHTS = /^\/subscriptions\/.+\/providers\/Microsoft\.Authorization\/permissions$/i;
const OPERATION = new RegExp(`^/subscriptions/[^/]+/${PROVIDER}/locations/[^/]+/operations/([^/]+)$`, 'i');

/** Finds what a request asks for, by the paths of API version 2023-05-01; undefined for any other. */
export function route(azure: Subscription, request: Request): Route | undefined {
  const { method, url } = request;
  const path = decodeURIComponent(url.pathname);
  const group = GROUP.exec(path);
  if (group) return groupRoute(azure, request, pathOf(group));
  if (method !== 'GET') return undefined;
  const logs = LOGS.exec(path);
  if (logs) {
    const tail = url.searchParams.get('tail');
    return {
      fault: 'LOGS',
      subject: logs[3],
      run: () => azure.logs(pathOf(logs), tail === null ? undefined : Number(tail)),
    };
  }
  const groups = GROUPS.exec(path);
  if (groups) return { fault: 'GET', run: () => azure.list(groups[1] ?? '', groups[2] ?? '') };
  const operation = OPERATION.exec(path);
  if (operation) return { fault: 'GET', run: () => azure.operation(operation[1] ?? '', path) };
  if (RIGHTS.test(path)) return { fault: 'RIGHTS', run: () => azure.rights() };
  const location = LOCATION.exec(path);
  if (!location) return undefined;
  const region = location[1] ?? '';
  return { fault: 'USAGE', run: () => (location[2] === 'usages' ? azure.usage(region) : azure.capabilities(region)) };
}

function groupRoute(azure: Subscription, { method, url, body }: Request, at: GroupPath): Route | undefined {
  const subject = at.name;
  if (method === 'GET') return { fault: 'GET', subject, run: () => azure.get(at) };
  if (method === 'DELETE') return { fault: 'DELETE', subject, run: () => azure.delete(at) };
  if (method !== 'PUT') return undefined;
  if (!isGroup(body))
    return { fault: 'PUT', run: () => refuse(400, 'InvalidRequestContent', 'The request content was invalid.') };
  return { fault: 'PUT', subject, run: () => azure.put(at, body, url.origin) };
}

const pathOf = (match: RegExpExecArray): GroupPath => ({
  subscription: match[1] ?? '',
  resourceGroup: match[2] ?? '',
  name: match[3] ?? '',
});

function isGroup(body: unknown): body is GroupBody {
  const { location, properties } = (body ?? {}) as Partial<GroupBody>;
  return typeof location === 'string' && Array.isArray(properties?.containers) && properties.containers.length > 0;
}
