import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const SYSTEMS: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'osx', win32: 'win' };
const PACKAGE = `Azure.Bicep.CommandLine.${SYSTEMS[process.platform] ?? 'linux'}-${process.arch}`;
const VERSION = '0.49.2';
/** SHA-256 of the package's file, where CI runs. */
const SUMS: Partial<Record<string, string>> = {
  'Azure.Bicep.CommandLine.linux-x64': '4200806a921d2ba1ea7de78ec2e064cefe313f26f612be442e5161452af70d9d',
};
const CACHE = process.env.NUGET_PACKAGES ?? path.join(os.homedir(), '.nuget/packages');
const FOLDER = path.join(CACHE, PACKAGE.toLowerCase(), VERSION);
const BICEP = path.join(FOLDER, 'tools', process.platform === 'win32' ? 'bicep.exe' : 'bicep');

/** A project that uses nothing but this package: restoring it puts the package, 115 MB, into NuGet's cache. */
const PROJECT = `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>netstandard2.0</TargetFramework>
    <DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>
  </PropertyGroup>
  <ItemGroup><PackageDownload Include="${PACKAGE}" Version="[${VERSION}]" /></ItemGroup>
</Project>
`;

/**
 * Why Bicep cannot be had here; undefined when it can.
 * @throws when the package is another one than the one that was checked.
 */
export function whyNoBicep(): string | undefined {
  if (existsSync(BICEP)) return undefined;
  const how = `NuGet's cache has no ${PACKAGE} ${VERSION}`;
  // Nobody's machine but that of a CI run is to get a package because of a test.
  if (!process.env.CI) return `${how}; with CI=1 and dotnet, the tests fetch it`;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bicep-'));
  try {
    writeFileSync(path.join(folder, 'bicep.csproj'), PROJECT);
    execFileSync('dotnet', ['restore', folder], { stdio: 'ignore', timeout: 120_000 });
  } catch {
    return `${how}, and dotnet cannot fetch it`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (!existsSync(BICEP)) return how;
  checkSum();
  return undefined;
}

/** Of what was just fetched: reading 115 MB at every run would take longer than the tests. */
function checkSum() {
  const expected = SUMS[PACKAGE];
  const file = path.join(FOLDER, `${PACKAGE}.${VERSION}.nupkg`.toLowerCase());
  const found = createHash('sha256').update(readFileSync(file)).digest('hex');
  if (expected === undefined || found === expected) return;
  rmSync(FOLDER, { recursive: true, force: true });
  throw new Error(`The package ${PACKAGE} ${VERSION} has the SHA-256 ${found}, not ${expected}; it was removed.`);
}

export interface Resource {
  id: string;
  type: string;
  name: string;
  location: string;
  tags: Record<string, string>;
  properties: Record<string, unknown>;
}

export interface Snapshot {
  predictedResources: Resource[];
  diagnostics: unknown[];
  outputs?: Record<string, unknown>;
}

/** A short run gains nothing from code that is compiled a second time with what was seen in the first. */
const ENVIRONMENT = { ...process.env, DOTNET_TieredPGO: '0' };
const SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';

interface Answer {
  id: number;
  result?: unknown;
  error?: { message: string };
}

/** The compiler as one process, which answers in a tenth of the time that starting it takes. */
export class Bicep {
  readonly #process: ChildProcess = spawn(BICEP, ['jsonrpc', '--stdio'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: ENVIRONMENT,
  });
  readonly #waiting = new Map<number, (message: Answer) => void>();
  #received = Buffer.alloc(0);
  #asked = 0;

  constructor() {
    this.#process.stdout?.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#process.once('exit', () => {
      for (const id of this.#waiting.keys()) this.#answer({ id, error: { message: 'it has ended' } });
    });
  }

  /** Everything that the compiler and the linter remark on a file and its modules: what `bicep lint` writes as SARIF. */
  async remarksOn(file: string): Promise<string[]> {
    const { diagnostics } = await this.#ask<{ diagnostics: { code: string; message: string }[] }>('compile', {
      path: file,
    });
    return diagnostics.map(({ code, message }) => `${code}: ${message}`);
  }

  /** The resources that a file would deploy to a resource group, worked out without Azure. */
  async predict(file: string, parameters: Record<string, unknown>): Promise<Resource[]> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'bicep-'));
    try {
      const lines = Object.entries(parameters).map(([name, value]) => `param ${name} = ${literal(value)}`);
      const using = path.relative(folder, file).replaceAll('\\', '/');
      const asked = path.join(folder, 'try.bicepparam');
      writeFileSync(asked, [`using '${using}'`, ...lines, ''].join('\n'));
      return (await this.#snapshot(asked, { resourceGroup: 'rg', deploymentName: 'try' })).predictedResources;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** What `bicep snapshot` writes for a file of parameters of a subscription's deployment. */
  snapshot = (file: string): Promise<Snapshot> =>
    this.#snapshot(file, { deploymentName: path.basename(file, '.test.bicepparam') });

  stop = () => this.#process.kill();

  async #snapshot(file: string, place: Record<string, string>): Promise<Snapshot> {
    const metadata = { subscriptionId: SUBSCRIPTION, location: 'westeurope', ...place };
    const { snapshot } = await this.#ask<{ snapshot: string }>('getSnapshot', { path: file, metadata });
    return JSON.parse(snapshot) as Snapshot;
  }

  #ask<T>(method: string, params: object): Promise<T> {
    this.#asked += 1;
    const id = this.#asked;
    const body = JSON.stringify({ jsonrpc: '2.0', id, method: `bicep/${method}`, params });
    this.#process.stdin?.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) =>
        error ? reject(new Error(`bicep ${method}: ${error.message}`)) : resolve(result as T),
      );
    });
  }

  #answer(message: Answer) {
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }

  /** Each message has its length before it, as in HTTP. */
  #take(bytes: Buffer) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const end = this.#received.indexOf('\r\n\r\n');
      const length = Number(
        /Content-Length: (\d+)/i.exec(this.#received.subarray(0, Math.max(0, end)).toString())?.[1],
      );
      if (end < 0 || this.#received.length < end + 4 + length) return;
      const text = this.#received.subarray(end + 4, end + 4 + length).toString();
      this.#received = this.#received.subarray(end + 4 + length);
      this.#answer(JSON.parse(text) as Answer);
    }
  }
}

/** Bicep writes strings in single quotes. */
function literal(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `{ ${Object.entries(value)
    .map(([name, inner]) => `'${name}': ${literal(inner)}`)
    .join(', ')} }`;
}
