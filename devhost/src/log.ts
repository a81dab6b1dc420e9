/** The levels of `context.log` and its siblings, as the Functions library names them. */
export type LogLevel = 'trace' | 'debug' | 'information' | 'warning' | 'error' | 'critical' | 'none';

const SHORT: Record<LogLevel, string> = {
  trace: 'trace',
  debug: 'debug',
  information: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'crit',
  none: 'none',
};

/** Writes one line per entry to stderr, so that stdout carries nothing but the line that says the host is ready. */
export class Log {
  /** Whether debug and trace lines are written too. */
  readonly verbose: boolean;

  constructor(verbose: boolean) {
    this.verbose = verbose;
  }

  write(level: LogLevel, source: string, message: string): void {
    if (level === 'none' || (!this.verbose && (level === 'trace' || level === 'debug'))) return;
    process.stderr.write(`${new Date().toISOString()} ${SHORT[level].padEnd(5)} ${source}: ${message}\n`);
  }

  debug(message: string): void {
    this.write('debug', 'devhost', message);
  }

  info(message: string): void {
    this.write('information', 'devhost', message);
  }

  warn(message: string): void {
    this.write('warning', 'devhost', message);
  }

  error(message: string): void {
    this.write('error', 'devhost', message);
  }
}

/** A fault the user can mend: shown as one sentence; a cause, if there is one, only with --verbose. */
export class UserFault extends Error {
  override readonly name = 'UserFault';
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || namesOf(error) : String(error);
}

/** An answer of storage without a body makes an error without a message. */
function namesOf(error: Error & { code?: string; statusCode?: number }): string {
  const { name, code, statusCode } = error;
  return [name, code, statusCode && `HTTP ${statusCode}`].filter(Boolean).join(', ');
}

/** The first line of it: storage errors go on with a dump of the request. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}
