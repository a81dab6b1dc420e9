#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander';
import { giveUpSilentRequests } from './backend/silent-requests.js';
import { functionList } from './function-list.js';
import { type RunningHost, showKeys, startHost } from './host.js';
import { Log, messageOf, UserFault } from './log.js';
import { isPort } from './settings.js';

const FAULT = 2;

interface Options {
  port?: number;
  host: string;
  main?: string;
  hub?: string;
  storage?: string;
  enforceKeys: boolean;
  showKeys: boolean;
  strict: boolean;
  watch: boolean;
  storagePatience: number;
  spans?: string;
  verbose: boolean;
}

const program = new Command('devhost')
  .description('Runs an Azure Functions app (Node, with or without durable functions) on this machine.')
  .argument('[folder]', 'folder of the compiled app, with host.json and package.json', '.')
  .option('--port <number>', 'port to listen on, 0 for any free one (default: LocalHttpPort or 7071)', parsePort)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--main <file>', 'file of the app to load, instead of "main" in package.json')
  .option('--hub <name>', 'task hub, instead of the one in host.json')
  .option('--storage <connection>', 'connection string, or name of a setting with one, instead of AzureWebJobsStorage')
  .option('--enforce-keys', 'ask for function, host and system keys, as Azure does', false)
  .option('--show-keys', 'print the keys that --enforce-keys asks for, and end', false)
  .option('--strict', 'fail what works here but would go wrong in Azure', false)
  .option('--watch', 'load the app again when its files change', false)
  .option('--storage-patience <seconds>', 'how long to wait for a storage that is starting', parseSeconds, 0)
  .option('--spans <file>', 'append the spans of everything that ends to a file, one JSON line each')
  .option('--verbose', 'show debug and trace lines', false)
  .showHelpAfterError('(add --help for the options)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : FAULT));

program.parse();
await main(program.args[0] ?? '.', program.opts<Options>());

async function main(app: string, options: Options): Promise<void> {
  const { verbose, port, main: file, hub, storage, spans } = options;
  const log = new Log(verbose);
  process.on('unhandledRejection', (reason) =>
    log.error(`A promise of the host was rejected and nobody handled it: ${messageOf(reason)}`),
  );
  giveUpSilentRequests();
  let running: RunningHost;
  try {
    if (options.showKeys) {
      process.stdout.write(`${JSON.stringify(await showKeys({ app, hub, storage }), undefined, 2)}\n`);
      return;
    }
    running = await startHost({
      ...options,
      app,
      main: file,
      port,
      hub,
      storage,
      spans,
      log,
      onLeaseLost: (reason) => giveUp(`The hub was taken over by another host: ${reason}`),
    });
  } catch (error) {
    if (!(error instanceof UserFault)) throw error;
    if (error.cause instanceof Error) log.debug(error.cause.stack ?? error.cause.message);
    giveUp(error.message);
  }
  const { functions, routePrefix } = running;
  const url = `http://localhost:${running.port}`;
  process.stderr.write(functionList(functions, url, routePrefix));
  process.stdout.write(
    `devhost: listening on ${url} (${functions.length} function${functions.length === 1 ? '' : 's'}, hub ${running.hub})\n`,
  );
  stopOnSignal(running, log);
}

/** Another signal later than a second ends the process at once; npm and terminals often send the first one twice. */
function stopOnSignal(running: RunningHost, log: Log): void {
  let since: number | undefined;
  const onSignal = (): void => {
    if (since !== undefined) {
      if (Date.now() - since > 1000) process.exit(1);
      return;
    }
    since = Date.now();
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error(`The host did not stop cleanly: ${messageOf(error)}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : undefined;
  if (!isPort(port)) throw new InvalidArgumentError('It must be a number from 0 to 65535.');
  return port;
}

function parseSeconds(text: string): number {
  const seconds = text.trim() === '' ? NaN : Number(text);
  if (!(seconds >= 0 && seconds <= 3600)) throw new InvalidArgumentError('It must be a number from 0 to 3600.');
  return seconds;
}

function giveUp(sentence: string): never {
  process.stderr.write(`devhost: ${sentence}\n`);
  process.exit(FAULT);
}
