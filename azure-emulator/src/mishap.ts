import type { Container } from './container.js';

/** What befalls a running container, so many milliseconds after its start. */
export type Mishap = { afterMs: number } & (
  | { kind: 'end'; exitCode: number }
  /** It stops doing anything, and does not end. */
  | { kind: 'hang' }
  /** The platform forgets it. */
  | { kind: 'lose' }
  /** The platform evicts it and starts it again elsewhere. */
  | { kind: 'restart' }
);

/** `lose` and `restart` are what the owner of the container does then. */
export function befall(container: Container, mishap: Mishap, lose: () => void, restart: () => void): NodeJS.Timeout {
  const strike = () => {
    if (container.finishedAt) return;
    if (mishap.kind === 'hang') container.hang();
    else if (mishap.kind === 'end') void container.kill(mishap.exitCode);
    else void container.kill().then(mishap.kind === 'lose' ? lose : restart);
  };
  return setTimeout(strike, mishap.afterMs).unref();
}
