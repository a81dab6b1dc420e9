import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchApp } from './app/app-watch.js';
import { AppWorker } from './app/app-worker.js';
import { type AppFunction, FunctionRegistry, type TriggerType } from './app/function-registry.js';
import type { LoadedApp } from './app/messages.js';
import type { Backend } from './backend/backend.js';
import { type HostStorage, hostStorage, timerStatuses } from './backend/host-storage.js';
import { openTablesBackend } from './backend/tables-backend.js';
import { ClientMessages } from './engine/client-messages.js';
import { OrchestrationClient } from './engine/client.js';
import { Engine } from './engine/engine.js';
import { functionRoutes } from './http/function-routes.js';
import { hostPage, PING_PATH } from './http/host-pages.js';
import { type Answer, type Handler, listen, type Request, type RunningServer } from './http/http-server.js';
import { DURABLE_UNAUTHORIZED, FORBIDDEN, isSame, Keys, UNAUTHORIZED } from './http/keys.js';
import { firstLineOf, type Log, messageOf, UserFault } from './log.js';
import { ManagementApi } from './management/management-api.js';
import { clientPayload, NO_KEY, RPC_PATH, WEBHOOK_PATH } from './management/urls.js';
import { applySettings, type HostSettings, readHostSettings } from './settings.js';
import { type ExportSpans, openSpanFile } from './tracing/spans.js';
import { blobListeners } from './triggers/blob-triggers.js';
import { queueListeners } from './triggers/queue-triggers.js';
import { timerListeners } from './triggers/timer-triggers.js';

export { Log, UserFault } from './log.js';

/** How long running activities may take to end when the host stops. */
const PATIENCE_MS = 5000;

/** Core Tools' port. */
const USUAL_PORT = 7071;

export interface HostOptions {
  app: string;
  /** What is loaded of it, a path in its folder or a glob; without it "main" in its package.json says so. */
  main: string | undefined;
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
  const local = await applySettings(app, options.storage);
  const settings = await readHostSettings(app, options.hub);

  let serve: Handler = () => Promise.resolve({ status: 503 });
  const server = await listen(options.host, options.port ?? local.port ?? USUAL_PORT, (request) => serve(request), log);
  setUpEnvironment(server.port);
  // Loading the app takes about as long as Azurite takes to start.
  const worker = new AppWorker({ ...settings, folder: app, main: options.main, log, strict: options.strict });
  let backend: Backend | undefined;
  try {
    const opening = openTablesBackend(settings.storage, settings.hubName, {
      patienceSeconds: options.storagePatience,
      partitionCount: settings.partitionCount,
      hiddenSeconds: Math.ceil(settings.queues.lease / 1000),
      log: (text) => log.info(text),
    });
    const [loaded, opened] = await Promise.all([worker.started, opening]);
    backend = opened;
    await opened.hold((reason) => options.onLeaseLost(reason));
    const parts = await assemble(worker, loaded, opened, { ...options, ...settings, port: server.port, exportSpans });
    serve = parts.handler;
    const unwatch = options.watch ? keepUpToDate(app, loaded, parts, log) : () => undefined;
    return {
      port: server.port,
      hub: opened.hub,
      functions: parts.functions.all(),
      routePrefix: settings.routePrefix,
      stop: async () => {
        unwatch();
        await stop(server, parts, opened);
      },
    };
  } catch (error) {
    worker.kill();
    await backend?.release();
    await server.close();
    throw error;
  }
}

/**
 * The keys that a host asks for with `enforceKeys`, by kind and name; makes those of the host if there are none yet.
 * @throws UserFault for settings or a storage that cannot be used.
 */
export async function showKeys({ app, hub, storage }: Pick<HostOptions, 'app' | 'hub' | 'storage'>): Promise<object> {
  const folder = path.resolve(app);
  await applySettings(folder, storage);
  const settings = await readHostSettings(folder, hub);
  try {
    const { secrets, id } = hostStorage(settings.storage, settings.hubName);
    return await (await Keys.open(secrets, id)).show();
  } catch (error) {
    if (error instanceof UserFault) throw error;
    throw new UserFault(`The keys cannot be read (${firstLineOf(error)}): start Azurite, or whatever keeps the hub.`);
  }
}

/** Calls functions by itself. */
interface Listener {
  start(): void;
  /** Begins nothing new, and resolves when what is under way is over. */
  stop(): Promise<void>;
}

interface Parts {
  worker: AppWorker;
  functions: FunctionRegistry;
  engine: Engine;
  clientMessages: ClientMessages;
  triggers: Triggers;
  /** Makes what calls these functions; the caller starts it. */
  triggersOf(functions: FunctionRegistry): Triggers;
  handler: Handler;
}

/** What calls functions from outside. */
interface Triggers {
  http: Handler;
  listeners: Listener[];
}

/** What the app's process finds in its environment. */
function setUpEnvironment(port: number): void {
  process.env['AZURE_FUNCTIONS_ENVIRONMENT'] ??= 'Development';
  process.env['FUNCTIONS_WORKER_RUNTIME'] ??= 'node';
  // durable-functions rewrites management URLs to port 7071 unless this is set.
  process.env['WEBSITE_HOSTNAME'] = `localhost:${port}`;
}

async function assemble(
  worker: AppWorker,
  loaded: LoadedApp,
  backend: Backend,
  options: HostOptions & HostSettings & { exportSpans: ExportSpans | undefined },
): Promise<Parts> {
  const { host, port, log, strict, maxActivities, maxOrchestrators, routePrefix, exportSpans } = options;
  const functions = registryOf(loaded);
  const storage = hostStorage(options.storage, backend.hub);
  const keys = options.enforceKeys ? await openKeys(storage, functions, log) : undefined;
  const key = keys?.durable ?? NO_KEY;
  const rpcPath = keys ? `${RPC_PATH}/${randomBytes(32).toString('base64url')}` : RPC_PATH;
  const rpcBaseUrl = `http://${reachable(host)}:${port}${rpcPath}/`;
  worker.setClient(clientPayload(backend.hub, `http://localhost:${port}`, rpcBaseUrl, key));
  const services = { invoker: worker, log, exportSpans, keys };
  const triggersOf = (app: FunctionRegistry): Triggers => {
    const ofType = (type: TriggerType) => app.all().filter((each) => each.triggerType === type);
    return {
      http: functionRoutes(ofType('httpTrigger'), routePrefix, services),
      listeners: [
        ...timerListeners(ofType('timerTrigger'), timerStatuses(storage), services),
        ...queueListeners(ofType('queueTrigger'), options.queues, services),
        ...blobListeners(ofType('blobTrigger'), { ...options, storage }, services),
      ],
    };
  };
  const triggers = triggersOf(functions);
  const limits = { maxActivities, maxOrchestrators };
  const engine = new Engine({ backend, functions, invoker: worker, log, strict, ...limits, exportSpans });
  const recovered = await engine.recover();
  if (recovered > 0) log.info(`${recovered} instance(s) of an earlier run go on.`);
  startTriggers(triggers);
  const clientMessages = new ClientMessages(engine, { longestPause: options.maxQueuePollingInterval, log });
  clientMessages.start();

  const api = new ManagementApi(new OrchestrationClient(engine), backend.hub, key);
  const handler = doors(api, callFunction, rpcPath, keys);
  const parts: Parts = { worker, functions, engine, clientMessages, triggers, triggersOf, handler };
  async function callFunction(request: Request): Promise<Answer> {
    return await parts.triggers.http(request);
  }
  return parts;
}

function registryOf({ functions }: LoadedApp): FunctionRegistry {
  const registry = new FunctionRegistry();
  registry.replace(functions);
  return registry;
}

function startTriggers({ listeners }: Triggers): void {
  for (const listener of listeners) listener.start();
}

async function stopTriggers({ listeners }: Triggers): Promise<void> {
  await Promise.all(listeners.map(async (listener) => await listener.stop()));
}

/** Loads the app again whenever its files change. What cannot be loaded leaves the app as it was. @returns what ends the watch. */
function keepUpToDate(app: string, { files }: LoadedApp, parts: Parts, log: Log): () => void {
  let loading = Promise.resolve();
  const load = async () => {
    try {
      await parts.worker.reload((loaded) => {
        const functions = registryOf(loaded);
        const triggers = parts.triggersOf(functions);
        return () => {
          void stopTriggers(parts.triggers);
          parts.functions.replace(loaded.functions);
          parts.triggers = triggers;
          startTriggers(triggers);
          log.info(`The app runs with the files that have changed (${functions.all().length} functions).`);
        };
      });
    } catch (error) {
      log.error(`The app goes on as it was, because its changed files cannot be used. ${messageOf(error)}`);
    }
  };
  return watchApp(app, files, {
    onCode: () => {
      loading = loading.then(load);
    },
    onSettings: (name) => log.warn(`${name} has changed: stop the host and start it again to use it.`),
  });
}

/** The keys of the host and of every function that asks for one; says where they are. */
async function openKeys({ secrets, id }: HostStorage, functions: FunctionRegistry, log: Log): Promise<Keys> {
  const keys = await Keys.open(secrets, id);
  const keyed = functions.all().filter(({ trigger }) => trigger['authLevel'] === 'function');
  await Promise.all(keyed.map(async ({ name }) => await keys.prepare(name)));
  log.info(
    `Requests need keys. They are in ${secrets.containerName}/${id}/host.json and the blobs beside it; --show-keys prints them.`,
  );
  return keys;
}

/** Which part of the host answers which path. */
function doors(api: ManagementApi, functions: Handler, rpcPath: string, keys: Keys | undefined): Handler {
  return async (request) => {
    const { pathname } = request.url;
    if (pathname.startsWith(`${WEBHOOK_PATH}/`)) {
      if (keys && !(await keys.opens('durable', request))) return DURABLE_UNAUTHORIZED;
      return await api.handle(request, pathname.slice(WEBHOOK_PATH.length));
    }
    if (isSame(`${rpcPath}/`, pathname.slice(0, rpcPath.length + 1)))
      return await api.handle(request, pathname.slice(rpcPath.length));
    const isOpen = !keys || !pathname.startsWith('/admin/') || pathname === PING_PATH;
    if (!isOpen && !(await keys.opens('admin', request)))
      return (await keys.opens('durable', request)) ? FORBIDDEN : UNAUTHORIZED;
    const answer = await functions(request);
    return answer.status === 404 ? (hostPage(request) ?? answer) : answer;
  };
}

async function stop(server: RunningServer, parts: Parts, backend: Backend): Promise<void> {
  const { worker, engine, clientMessages, triggers } = parts;
  worker.close();
  const patience = sleep(PATIENCE_MS, undefined, { ref: false });
  const quiet = Promise.all([stopTriggers(triggers), clientMessages.stop()]);
  await Promise.all([server.close(), engine.stop(PATIENCE_MS), Promise.race([quiet, patience])]);
  await worker.stop();
  await backend.release();
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
