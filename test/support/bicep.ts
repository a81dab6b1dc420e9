import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SYSTEMS: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'osx', win32: 'win' };
const PACKAGE = `Azure.Bicep.CommandLine.${SYSTEMS[process.platform] ?? 'linux'}-${process.arch}`;
const VERSION = '0.49.2';
const CACHE = process.env.NUGET_PACKAGES ?? path.join(os.homedir(), '.nuget/packages');
const BICEP = path.join(
  CACHE,
  PACKAGE.toLowerCase(),
  VERSION,
  'tools',
  process.platform === 'win32' ? 'bicep.exe' : 'bicep',
);

/** A project that uses nothing but this package: restoring it puts the package, 115 MB, into NuGet's cache. */
const PROJECT = `<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>netstandard2.0</TargetFramework>
    <DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>
  </PropertyGroup>
  <ItemGroup><PackageDownload Include="${PACKAGE}" Version="[${VERSION}]" /></ItemGroup>
</Project>
`;

/** Why Bicep cannot be had here; undefined when it can. */
export function whyNoBicep(): string | undefined {
  if (existsSync(BICEP)) return undefined;
  const how = `NuGet's cache has no ${PACKAGE} ${VERSION}`;
  // Nobody's machine but that of a CI run is to get a package because of a test.
  if (!process.env.CI) return `${how}; with CI=1 and dotnet, the tests fetch it`;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bicep-'));
  try {
    writeFileSync(path.join(folder, 'bicep.csproj'), PROJECT);
    execFileSync('dotnet', ['restore', folder], { stdio: 'ignore', timeout: 120_000 });
    return existsSync(BICEP) ? undefined : how;
  } catch {
    return `${how}, and dotnet cannot fetch it`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything that the compiler and the linter remark on a file: rule and sentence. */
export async function remarksOn(file: string): Promise<string[]> {
  const options = ['lint', file, '--diagnostics-format', 'sarif'];
  // Errors end it with 1, and are in the log like everything else.
  const { stdout } = await run(BICEP, options).catch((error: { stdout: string }) => error);
  const log = JSON.parse(stdout) as { runs: { results: { ruleId: string; message: { text: string } }[] }[] };
  return log.runs.flatMap(({ results }) => results.map(({ ruleId, message }) => `${ruleId}: ${message.text}`));
}

export interface Resource {
  id: string;
  type: string;
  name: string;
  location: string;
  tags: Record<string, string>;
  properties: Record<string, unknown>;
}

/** The resources that a file would deploy to a resource group, worked out without Azure. */
export async function predict(file: string, parameters: Record<string, unknown>): Promise<Resource[]> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bicep-'));
  try {
    const lines = Object.entries(parameters).map(([name, value]) => `param ${name} = ${literal(value)}`);
    const using = path.relative(folder, file).replaceAll('\\', '/');
    writeFileSync(path.join(folder, 'try.bicepparam'), [`using '${using}'`, ...lines, ''].join('\n'));
    const place = ['--subscription-id', '00000000-0000-0000-0000-000000000001', '--resource-group', 'rg'];
    const options = ['--mode', 'overwrite', '--location', 'westeurope', '--deployment-name', 'try', ...place];
    await run(BICEP, ['snapshot', path.join(folder, 'try.bicepparam'), ...options]);
    const snapshot = path.join(folder, 'try.snapshot.json');
    return (JSON.parse(readFileSync(snapshot, 'utf8')) as { predictedResources: Resource[] }).predictedResources;
  } finally {
    rmSync(folder, { recursive: true, force: true });
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
