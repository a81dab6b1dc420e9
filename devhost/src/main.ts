#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander';
import { type RunningHost, startHost } from './host.js';
import { Log, messageOf, UserFault } from './log.js';

const FAULT = 2;

interface Options {
  app: string;
  port: number;
  host: string;
  storagePatience: number;
  spans?: string;
  verbose: boolean;
}

const program = new Command('devhost')
  .description('Runs an Azure Functions app with durable functions on this machine.')
  .requiredOption('--app <folder>', 'folder of the compiled app, with package.json and host.json')
  .option('--port <number>', 'port to listen on, 0 for any free one', parsePort, 7071)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--storage-patience <seconds>', 'how long to wait for a storage that is starting', parseSeconds, 0)
  .option('--spans <file>', 'append the spans of everything that ends to a file, one JSON line each')
  .option('--verbose', 'show debug and trace lines', false)
  .showHelpAfterError()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : FAULT));

program.parse();
await main(program.opts<Options>());

async function main({ app, port, host, storagePatience, spans, verbose }: Options): Promise<void> {
  const log = new Log(verbose);
  process.on('unhandledRejection', (reason) =>
    log.error(`A promise of the app was rejected and nobody handled it: ${messageOf(reason)}`),
  );
  let running: RunningHost;
  try {
    running = await startHost({
      app,
      port,
      host,
      storagePatience,
      spans,
      log,
      onLeaseLost: (reason) => giveUp(`The hub was taken over by another host: ${reason}`),
    });
  } catch (error) {
    if (!(error instanceof UserFault)) throw error;
    if (error.cause instanceof Error) log.debug(error.cause.stack ?? error.cause.message);
    giveUp(error.message);
  }
  process.stdout.write(
    `devhost: listening on http://localhost:${running.port} (${running.functions} function${running.functions === 1 ? '' : 's'}, hub ${running.hub})\n`,
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
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('It must be a number from 0 to 65535.');
  return port;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0 && seconds <= 3600)) throw new InvalidArgumentError('It must be a number from 0 to 3600.');
  return seconds;
}

function giveUp(sentence: string): never {
  process.stderr.write(`devhost: ${sentence}\n`);
  process.exit(FAULT);
}
