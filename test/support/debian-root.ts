import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Why no fresh Debian can be made here; undefined when it can. */
export function whyNoDebian(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux may make one';
  if (!existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')) return 'there is no debian-archive-keyring';
  if (has('mmdebstrap')) return undefined;
  // Nobody's machine but that of a CI run is to get a package because of a test.
  if (!process.env.CI) return 'there is no mmdebstrap; apt-get install mmdebstrap';
  try {
    execFileSync('apt-get', ['update'], { stdio: 'ignore' });
    execFileSync('apt-get', ['install', '--yes', '--no-install-recommends', 'mmdebstrap'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'mmdebstrap cannot be installed';
  }
}

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Makes a fresh Debian with these packages and nothing else that is not essential, in a mount namespace of its own.
 * @returns its folder; undefined when Debian's mirror is out of reach.
 */
export async function makeDebian(release: string, packages: string[]): Promise<string | undefined> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'debian-'));
  const options = [
    '--mode=root',
    '--variant=essential',
    `--include=${packages.join(',')}`,
    '--aptopt=Acquire::Retries "3"',
  ];
  try {
    await run('unshare', ['--mount', 'mmdebstrap', ...options, release, folder]);
    return folder;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    if (/Could not (resolve|connect)|Temporary failure|Unable to connect|Failed to fetch/.test(text)) return undefined;
    throw error;
  }
}
