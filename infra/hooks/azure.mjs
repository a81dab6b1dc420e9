// The Azure command line, as the hooks ask it: with an argument each and no shell, on the subscription that azd works on.
import { execFileSync } from 'node:child_process';

const { AZURE_SUBSCRIPTION_ID } = process.env;
// Else it takes the one that "az account set" chose last, which may be another.
const SUBSCRIPTION = AZURE_SUBSCRIPTION_ID ? ['--subscription', AZURE_SUBSCRIPTION_ID] : [];

/** What it prints; building an image prints megabytes. */
export const az = (...options) =>
  execFileSync('az', [...options, ...SUBSCRIPTION, '--only-show-errors'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: Infinity,
  });

export function giveUp(sentence) {
  console.error(sentence);
  process.exit(1);
}

/** Ends the hook, in one sentence. */
export function giveUpOn(what, error) {
  if (error.code === 'ENOENT')
    giveUp('There is no Azure command line (az) here; install it and log in with "az login".');
  giveUp(`Could not ${what}: ${sayingOf(error)}`);
}

/** The last line that it said. */
const sayingOf = (error) =>
  String(error.stderr || error.message)
    .trim()
    .split('\n')
    .at(-1);
