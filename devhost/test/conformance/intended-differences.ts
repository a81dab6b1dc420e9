import { withoutCredentials } from '../../src/protocol/credentials.js';
import { ABSENT, type Difference } from './compare.js';

/** Where devhost answers otherwise than the real host on purpose. What is neither equal nor here fails the suite. */
export interface Intended {
  what: string;
  why: string;
  covers(difference: Difference): boolean;
}

export const INTENDED: Intended[] = [
  {
    what: 'The page at / is another one.',
    why: 'The real one advertises Azure.',
    covers: ({ part, real, devhost }) =>
      part === 'body' && String(real).includes('HTML page') && String(devhost).includes('<html'),
  },
  {
    what: "The app's own client calls the host at its one port.",
    why: 'The extension opens a second port for it, which may be taken.',
    covers: ({ part }) => part.endsWith('rpcBaseUrl'),
  },
  {
    what: 'Errors tell neither the class of an exception nor a stack of .NET.',
    why: 'There is no .NET here; the sentences are the same.',
    covers: ({ part, devhost }) => /^body\.(?:ExceptionType|StackTrace)$/.test(part) && devhost === ABSENT,
  },
  {
    what: "What is wrong in a JSON text is told in Node's words.",
    why: "Newtonsoft.Json's words would have to be guessed.",
    covers: ({ part, real, devhost }) =>
      part === 'body.ExceptionMessage' &&
      /line \d+, position \d+\.$/.test(String(real)) &&
      /JSON/.test(String(devhost)),
  },
  {
    what: 'Credentials are hidden in the stack traces of failures too.',
    why: 'The real host hides them in messages only and forgets the stack, which begins with the message.',
    covers: ({ real, devhost }) => typeof real === 'string' && real !== devhost && withoutCredentials(real) === devhost,
  },
  {
    what: 'Very large and very small numbers in inputs are written 1e+21, not 1E+21.',
    why: 'Both are the same number in JSON.',
    covers: ({ real, devhost }) => typeof real === 'string' && real.replaceAll(/(?<=\d)E(?=[+-])/g, 'e') === devhost,
  },
  {
    what: 'Purging many by statuses of which all are running ones is refused.',
    why: 'The real host then drops the filter and deletes every instance, running ones included: nobody means that.',
    covers: ({ exchange, statuses }) => exchange.includes('purge') && statuses.real === 200 && statuses.devhost === 400,
  },
  {
    what: 'The long output of an instance has a blob of its own.',
    why: 'The row is written apart from the history, and reads the same.',
    covers: ({ part, real, devhost }) =>
      part === 'body.Output' && String(real).endsWith('-Result.json.gz') && String(devhost).endsWith('-Output.json.gz'),
  },
  {
    what: 'Orchestrations have a trace, and its context is kept with them.',
    why: 'devhost always carries traces on; the recorded host had distributed tracing off.',
    covers: ({ part }) => part === 'body.ParentTraceContext',
  },
];

export function intentionOf(difference: Difference): Intended | undefined {
  return INTENDED.find((each) => each.covers(difference));
}
