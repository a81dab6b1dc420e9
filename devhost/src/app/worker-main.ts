import { Worker } from 'node:worker_threads';
import { Log, messageOf } from '../log.js';
import { AppInvoker } from './app-invoker.js';
import { loadApp } from './app-loader.js';
import { CoreModule, installCoreModule } from './core-module.js';
import { failureOf, type FromWorker, type ToWorker } from './messages.js';

/** The process that loads the app and runs its functions, as the host tells it to. Its working directory is the app's folder, as in Azure. */
new Worker(new URL('./lifeline.js', import.meta.url)).unref();

// The host leads: it lets functions end before it says 'terminate', while a service manager signals all processes of a service.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
// Nobody may be left to read what a function prints.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

/** How long a last message may take to be sent. */
const FAREWELL_MS = 1000;

process.once('message', (message: ToWorker) => {
  if (message.kind === 'load') void load(message, new Log(message.verbose));
});

async function load({ folder, main }: ToWorker & { kind: 'load' }, log: Log): Promise<void> {
  process.on('unhandledRejection', (reason) =>
    log.error(`A promise of the app was rejected and nobody handled it: ${messageOf(reason)}`),
  );
  process.on('uncaughtException', (error) => {
    setTimeout(() => process.exit(1), FAREWELL_MS);
    send({ kind: 'crash', reason: failureOf(error) }, () => process.exit(1));
  });
  const core = new CoreModule(log);
  installCoreModule(core);
  try {
    const files = await loadApp(folder, core, main);
    obey(core, log);
    const metadata = core.functions.all().map((each) => each.metadata);
    // Without what cannot be sent, such as functions among the options.
    const functions = JSON.parse(JSON.stringify(metadata)) as typeof metadata;
    send({ kind: 'loaded', functions, files });
  } catch (error) {
    send({ kind: 'refused', reason: failureOf(error) });
  }
}

function obey(core: CoreModule, log: Log): void {
  let invoker: AppInvoker | undefined;
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'client') invoker = new AppInvoker(core, message.payload);
    else if (message.kind === 'call') void call(core, invoker, message);
    else if (message.kind === 'terminate') void terminate(core, log);
  });
}

async function call(
  { functions }: CoreModule,
  invoker: AppInvoker | undefined,
  { id, type, name, input }: ToWorker & { kind: 'call' },
): Promise<void> {
  send({ kind: 'begun', id });
  try {
    const target = functions.find(type, name);
    if (!target || !invoker) throw new Error(`The app has no function '${name}' any more.`);
    send({ kind: 'result', id, value: await invoker.invoke(target, input) });
  } catch (error) {
    send({ kind: 'failure', id, reason: failureOf(error) });
  }
}

async function terminate({ hooks }: CoreModule, log: Log): Promise<void> {
  try {
    await hooks.run('appTerminate', { hookData: {}, appHookData: hooks.appData });
    process.exit(0);
  } catch (error) {
    log.error(`An appTerminate hook of the app failed: ${messageOf(error)}`);
    process.exit(1);
  }
}

function send(message: FromWorker, sent?: () => void): void {
  process.send?.(message, undefined, undefined, sent);
}
