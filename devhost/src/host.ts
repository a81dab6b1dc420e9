import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadApp } from './app/app-loader.js';
import { CoreModule, installCoreModule } from './app/core-module.js';
import type { AppFunction, TriggerType } from './app/function-registry.js';
import { Invoker } from './app/invoker.js';
import type { Backend } from './backend/backend.js';
import { openTablesBackend } from './backend/tables-backend.js';
import { ClientMessages } from './engine/client-messages.js';
import { OrchestrationClient } from './engine/client.js';
import { Engine } from './engine/engine.js';
import { functionRoutes } from './http/function-routes.js';
import { type Handler, listen, type RunningServer } from './http/http-server.js';
import { type Log, UserFault } from './log.js';
import { ManagementApi } from './management/management-api.js';
import { clientPayload, RPC_PATH, WEBHOOK_PATH } from './management/urls.js';
import { applySettings, type HostSettings, readHostSettings } from './settings.js';
import { type ExportSpans, openSpanFile } from './tracing/spans.js';
import type { QueueListener } from './triggers/queue-listener.js';
import { queueListeners } from './triggers/queue-triggers.js';
import { TimerTriggers } from './triggers/timer-triggers.js';

/** How long running activities may take to end when the host stops. */
const PATIENCE_MS = 5000;

/** Core Tools' port. */
const USUAL_PORT = 7071;

export interface HostOptions {
  app: string;
  host: string;
  /** What the command line says; without it local.settings.json or host.json does, or 7071. */
  port: number | undefined;
  hub: string | undefined;
  /** A connection string, or the name of a setting that holds one. */
  storage: string | undefined;
  /** Ask for keys as Azure does. */
  enforceKeys: boolean;
  /** Fail what only Azure would punish. */
  strict: boolean;
  /** Load the app again when its files change. */
  watch: boolean;
  /** Seconds to wait for a storage that does not listen yet. */
  storagePatience: number;
  /** File to which the spans of everything that ends are appended. */
  spans: string | undefined;
  log: Log;
  /** Called when the host can no longer keep other hosts away from its hub; it must stop at once. */
  onLeaseLost(reason: string): void;
}

export interface RunningHost {
  port: number;
  hub: string;
  functions: readonly AppFunction[];
  routePrefix: string;
  stop(): Promise<void>;
}

/**
 * Starts everything: port, settings, hub, app, and what the last host left undone.
 * @throws UserFault for what the user can change: settings, a port or hub in use, an app that cannot be loaded.
 */
export async function startHost(options: HostOptions): Promise<RunningHost> {
  const { log } = options;
  const app = path.resolve(options.app);
  const exportSpans =
    options.spans === undefined ? undefined : openSpanFile(path.resolve(options.spans), (text) => log.warn(text));
  for (const each of ['enforceKeys', 'watch'] as const)
    if (options[each]) throw new UserFault(`This version of the host knows the option ${each} but cannot do it yet.`);
  const local = await applySettings(app, options.storage);
  const settings = await readHostSettings(app, options.hub);

  let serve: Handler = () => Promise.resolve({ status: 503 });
  const server = await listen(options.host, options.port ?? local.port ?? USUAL_PORT, (request) => serve(request), log);
  let backend: Backend | undefined;
  try {
    // Loading the app takes about as long as Azurite takes to start.
    const loading = load(app, log, server.port);
    const opening = openTablesBackend(settings.storage, settings.hubName, {
      patienceSeconds: options.storagePatience,
      partitionCount: settings.partitionCount,
      log: (text) => log.info(text),
    });
    const [core, opened] = await Promise.all([loading, opening]);
    backend = opened;
    await opened.hold((reason) => options.onLeaseLost(reason));
    const parts = await assemble(core, opened, { ...options, ...settings, port: server.port, exportSpans });
    serve = parts.handler;
    parts.timers.start();
    parts.clientMessages.start();
    for (const queue of parts.queues) queue.start();
    return {
      port: server.port,
      hub: opened.hub,
      functions: parts.core.functions.all(),
      routePrefix: settings.routePrefix,
      stop: () => stop(server, parts, opened),
    };
  } catch (error) {
    await backend?.release();
    await server.close();
    throw error;
  }
}

interface Parts {
  core: CoreModule;
  engine: Engine;
  clientMessages: ClientMessages;
  timers: TimerTriggers;
  queues: QueueListener[];
  handler: Handler;
}

/** The app's functions, registered but not called yet. */
async function load(app: string, log: Log, port: number): Promise<CoreModule> {
  process.env['AZURE_FUNCTIONS_ENVIRONMENT'] ??= 'Development';
  process.env['FUNCTIONS_WORKER_RUNTIME'] ??= 'node';
  // durable-functions rewrites management URLs to port 7071 unless this is set.
  process.env['WEBSITE_HOSTNAME'] = `localhost:${port}`;
  const core = new CoreModule(log);
  installCoreModule(core);
  // The app's own folder is the working directory, as in Azure.
  process.chdir(app);
  await loadApp(app, core);
  return core;
}

async function assemble(
  core: CoreModule,
  backend: Backend,
  options: HostOptions & HostSettings & { exportSpans: ExportSpans | undefined },
): Promise<Parts> {
  const { functions } = core;
  const { host, port, log, strict, maxActivities, maxOrchestrators, routePrefix, exportSpans } = options;
  const invoker = new Invoker(
    core,
    clientPayload(backend.hub, `http://localhost:${port}`, `http://${reachable(host)}:${port}`),
  );
  const ofType = (type: TriggerType) => functions.all().filter((each) => each.triggerType === type);
  const timers = new TimerTriggers(ofType('timerTrigger'), invoker, log, exportSpans);
  const queues = queueListeners(ofType('queueTrigger'), options.queues, { invoker, log, exportSpans });
  const engine = new Engine({ backend, functions, invoker, log, strict, maxActivities, maxOrchestrators, exportSpans });
  const recovered = await engine.recover();
  if (recovered > 0) log.info(`${recovered} instance(s) of an earlier run go on.`);

  const clientMessages = new ClientMessages(engine, { longestPause: options.maxQueuePollingInterval, log });
  const api = new ManagementApi(new OrchestrationClient(engine), backend.hub);
  const routes = functionRoutes(ofType('httpTrigger'), routePrefix, { invoker, log, exportSpans });
  return { core, engine, clientMessages, timers, queues, handler: doors(api, routes) };
}

/** Which part of the host answers which path. */
function doors(api: ManagementApi, functions: Handler): Handler {
  return async (request) => {
    const { pathname } = request.url;
    for (const door of [WEBHOOK_PATH, RPC_PATH]) {
      if (pathname.startsWith(`${door}/`)) return await api.handle(request, pathname.slice(door.length));
    }
    if (pathname === '/admin/host/status') {
      const body = {
        id: 'devhost',
        state: 'Running',
        version: '4.0.0.0',
        processUptime: Math.round(process.uptime() * 1000),
      };
      return {
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: JSON.stringify(body),
      };
    }
    return await functions(request);
  };
}

async function stop(server: RunningServer, parts: Parts, backend: Backend): Promise<void> {
  const { core, engine, clientMessages, timers, queues } = parts;
  timers.stop();
  await clientMessages.stop();
  const working = Promise.all(queues.map(async (queue) => await queue.stop()));
  const patience = sleep(PATIENCE_MS, undefined, { ref: false });
  await Promise.all([server.close(), engine.stop(PATIENCE_MS), Promise.race([working, patience])]);
  await core.hooks.run('appTerminate', { hookData: {}, appHookData: core.hooks.appData });
  await backend.release();
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
