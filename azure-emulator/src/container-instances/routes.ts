import { refuse, type Route, type Routes } from '../http.js';
import type { GroupPath, Subscription } from './subscription.js';
import type { GroupBody } from './wire.js';

const PROVIDER = '/providers/Microsoft.ContainerInstance';
const GROUPS = `/subscriptions/:subscription/resourceGroups/:resourceGroup${PROVIDER}/containerGroups`;
const LOCATION = `/subscriptions/:subscription${PROVIDER}/locations/:region`;
const PERMISSIONS = '/providers/microsoft.authorization/permissions';

/** The paths of API version 2023-05-01, and of the rights that every scope tells. */
export function groupRoutes(azure: Subscription): Routes {
  const aboutOne = (fault: Route['fault'], at: GroupPath, run: Route['run']): Route => ({
    fault,
    subject: at.name,
    run,
  });
  return {
    [`GET ${GROUPS}`]: (at) => ({ fault: 'GET', run: () => azure.list(at.subscription ?? '', at.resourceGroup ?? '') }),
    [`GET ${GROUPS}/:name`]: (at) => aboutOne('GET', pathOf(at), () => azure.get(pathOf(at))),
    [`DELETE ${GROUPS}/:name`]: (at) => aboutOne('DELETE', pathOf(at), () => azure.delete(pathOf(at))),
    [`PUT ${GROUPS}/:name`]: (at, { url, body }) =>
      isGroup(body)
        ? {
            fault: 'PUT',
            subject: `${at.name} ${body.location}`,
            run: () => azure.put(pathOf(at), body, url.origin),
          }
        : { fault: 'PUT', run: () => refuse(400, 'InvalidRequestContent', 'The request content was invalid.') },
    [`GET ${GROUPS}/:name/containers/:container/logs`]: (at, { url }) => {
      const tail = url.searchParams.get('tail');
      return aboutOne('LOGS', pathOf(at), () => azure.logs(pathOf(at), tail === null ? undefined : Number(tail)));
    },
    [`GET ${LOCATION}/usages`]: ({ region = '', path }) => ({
      fault: 'USAGE',
      subject: path,
      run: () => azure.usage(region),
    }),
    [`GET ${LOCATION}/capabilities`]: ({ region = '', path }) => ({
      fault: 'USAGE',
      subject: path,
      run: () => azure.capabilities(region),
    }),
    [`GET ${LOCATION}/operations/:id`]: (at) => ({
      fault: 'GET',
      run: () => azure.operation(at.id ?? '', at.path),
    }),
    'GET /subscriptions/*': ({ path }) =>
      path.toLowerCase().endsWith(PERMISSIONS) ? { fault: 'RIGHTS', run: () => azure.rights() } : undefined,
  };
}

const pathOf = ({ subscription = '', resourceGroup = '', name = '' }: Record<string, string>): GroupPath => ({
  subscription,
  resourceGroup,
  name,
});

function isGroup(body: unknown): body is GroupBody {
  const { location, properties } = (body ?? {}) as Partial<GroupBody>;
  return typeof location === 'string' && Array.isArray(properties?.containers) && properties.containers.length > 0;
}
