import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { type Answer, refuse } from './answer.js';
import { Apps, type AppsOptions } from './apps/apps.js';
import { routeApps } from './apps/routes.js';
import { Container } from './container.js';
import { answerOf, type Fault, Faults } from './faults.js';
import type { Delays, Runtime } from './group.js';
import type { Quotas } from './limits.js';
import { type Request, route } from './routes.js';
import { Subscription } from './subscription.js';

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
  /** What any process of this machine needs, e.g. PATH. */
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
  const server = createServer((incoming, outgoing) => {
    serve({ azure, apps, faults }, incoming, outgoing, options.onExchange).catch((error: unknown) => {
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
      // Also those that no group or execution leads to any more: lost ones, and ones that an eviction has just started again.
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

type State = Pick<Emulator, 'azure' | 'apps' | 'faults'>;

async function serve(
  state: State,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onExchange: EmulatorOptions['onExchange'],
): Promise<void> {
  const request = await read(incoming);
  if (request.url.pathname.startsWith('/emulator/')) {
    send(outgoing, await control(state, request));
    return;
  }
  const found = route(state.azure, request) ?? routeApps(state.apps, request);
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

function answerTo(found: ReturnType<typeof route>, fault: Fault | undefined): Answer | Promise<Answer> {
  if (!found) return refuse(404, 'InvalidResourceType', 'The emulator does not know this path.');
  if (fault && 'ignored' in fault) return { status: found.fault === 'STOP' ? 200 : 202 };
  return fault && 'code' in fault ? answerOf(fault) : found.run();
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
  if (url.pathname === '/emulator/end') await (azure.groups.get(name) ?? execution)?.container?.kill(exitCode);
  if (url.pathname === '/emulator/lose') {
    const group = azure.groups.get(name);
    azure.groups.delete(name);
    await group?.stop();
  }
  return { status: 204 };
}

async function read(incoming: IncomingMessage): Promise<Request> {
  const url = new URL(incoming.url ?? '/', `http://${incoming.headers.host ?? '127.0.0.1'}`);
  const content = await text(incoming);
  return { method: incoming.method ?? 'GET', url, body: content === '' ? undefined : (JSON.parse(content) as unknown) };
}

function send(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  const type = body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
  outgoing.writeHead(status, { ...type, ...headers });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
}
