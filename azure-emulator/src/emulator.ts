import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Apps, type AppsOptions } from './container-apps/apps.js';
import { jobRoutes } from './container-apps/routes.js';
import type { Quotas } from './container-instances/limits.js';
import { groupRoutes } from './container-instances/routes.js';
import { Subscription } from './container-instances/subscription.js';
import { Container, type Delays, type Runtime } from './container.js';
import { type Fault, Faults, type Refusal } from './faults.js';
import { type Answer, readRequest, refuse, type Request, type Route, routerOf, send } from './http.js';

/** A request and its answer, as they went over the wire. */
export interface Exchange {
  request: Request & { headers: Record<string, string> };
  answer: Answer;
}

export interface EmulatorOptions {
  /** 0 takes a free port. */
  port: number;
  /** Program and arguments that stand for the image's entry point. */
  command: string[];
  /** Environment that any process of this machine needs, e.g. PATH. */
  inherited: NodeJS.ProcessEnv;
  delays?: Delays;
  quotas?: Quotas;
  apps?: AppsOptions;
  /** Sees every request whose answer was sent. */
  onExchange?: (exchange: Exchange) => void;
}

export interface Emulator {
  url: string;
  faults: Faults;
  azure: Subscription;
  apps: Apps;
  /** Removes every group and execution, ends all their processes, and ends. */
  stop(): Promise<void>;
}

const DELAYS: Delays = { waitMs: 300, pullMs: 300 };
const QUOTAS: Quotas = { ContainerGroups: 100, StandardCores: 100 };
const APPS: AppsOptions = {
  location: 'emulated',
  profiles: { Consumption: 'Consumption' },
  quotas: { ManagedEnvironmentConsumptionCores: 100, SubscriptionConsumptionT4Gpus: 0 },
};

/** Starts the server on this machine's loopback address. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const faults = new Faults();
  const containers = new Set<Container>();
  const runtime = createRuntime(options, containers);
  const azure = new Subscription(runtime, faults, options.quotas ?? QUOTAS);
  const apps = new Apps(runtime, faults, options.apps ?? APPS);
  const route = routerOf({ ...groupRoutes(azure), ...jobRoutes(apps) });
  const server = createServer((incoming, outgoing) => {
    serve({ azure, apps, faults, route }, incoming, outgoing, options.onExchange).catch((error: unknown) => {
      send(outgoing, refuse(500, 'InternalServerError', String(error)));
    });
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : options.port;
  return {
    url: `http://127.0.0.1:${port}`,
    faults,
    azure,
    apps,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.all([...azure.groups.values(), ...apps.executions].map((each) => each.stop()));
      // Also those that no group or execution leads to any more: lost ones, and ones that just restarted after an eviction.
      while (containers.size > 0) await Promise.all([...containers].map((container) => container.kill()));
    },
  };
}

/** Containers are in the set as long as their processes live. */
function createRuntime({ command, inherited, delays = DELAYS }: EmulatorOptions, containers: Set<Container>): Runtime {
  return {
    delays,
    start: (spec, ended) => {
      const environment = { ...inherited, ...spec.environment };
      const container = new Container(spec.command ?? command, { ...spec, environment }, () => {
        containers.delete(container);
        ended?.();
      });
      containers.add(container);
      return container;
    },
  };
}

/** A container runs whatever command its request names. Pages have no business here, be it under a name that they point at this machine. */
const isFromPage = ({ headers: { host = '', origin, 'sec-fetch-site': site } }: IncomingMessage) =>
  origin !== undefined || site !== undefined || !/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host);

interface State extends Pick<Emulator, 'azure' | 'apps' | 'faults'> {
  route: (request: Request) => Route | undefined;
}

async function serve(
  state: State,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onExchange: EmulatorOptions['onExchange'],
): Promise<void> {
  if (isFromPage(incoming)) {
    send(outgoing, refuse(403, 'Forbidden', 'The emulator takes no requests from pages.'));
    return;
  }
  const request = await readRequest(incoming);
  if (request.url.pathname.startsWith('/emulator/')) {
    send(outgoing, await control(state, request));
    return;
  }
  const found = state.route(request);
  const fault = found ? state.faults.take(found.fault, found.subject ?? '') : undefined;
  const answer = await answerTo(found, fault);
  if (fault && 'cut' in fault) {
    if (fault.cut === true) incoming.socket.destroy();
    return;
  }
  send(outgoing, answer);
  const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]));
  onExchange?.({ request: { ...request, headers }, answer });
}

function answerTo(found: Route | undefined, fault: Fault | undefined): Answer | Promise<Answer> {
  if (!found) return refuse(404, 'InvalidResourceType', 'The emulator does not know this path.');
  if (fault && 'ignored' in fault) return { status: found.fault === 'STOP' ? 200 : 202 };
  return fault && 'code' in fault ? answerOf(fault) : found.run();
}

function answerOf(fault: Refusal): Answer {
  const headers = fault.retryAfter === undefined ? undefined : { 'retry-after': String(fault.retryAfter) };
  return refuse(fault.status, fault.code, fault.message ?? 'Asked for by the test.', headers);
}

/** What tests ask of the emulator itself: a fault to come, or the end of a container as if by itself. */
async function control({ azure, apps, faults }: State, { method, url, body }: Request): Promise<Answer> {
  if (method === 'GET' && url.pathname === '/emulator/executions') {
    const live = apps.executions.filter(({ isLive }) => isLive).map(({ template }) => template);
    return { status: 200, body: { live, started: apps.started } };
  }
  if (method === 'GET' && url.pathname === '/emulator/groups')
    return { status: 200, body: { present: [...azure.groups.keys()], created: azure.created } };
  if (method === 'POST' && url.pathname === '/emulator/faults') faults.add(body as Fault);
  const { name = '', exitCode } = (body ?? {}) as { name?: string; exitCode?: number };
  const execution = apps.executions.find((each) => each.isLive && JSON.stringify(each.template).includes(name));
  if (url.pathname === '/emulator/gpu') azure.gpu = (body as { sku?: string } | undefined)?.sku;
  if (url.pathname === '/emulator/end') await (azure.groups.get(name) ?? execution)?.container?.kill(exitCode);
  if (url.pathname === '/emulator/lose') {
    const group = azure.groups.get(name);
    azure.groups.delete(name);
    await group?.stop();
  }
  return { status: 204 };
}
