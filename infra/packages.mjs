import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** The npm packages with native parts, which cannot be packed into a program: those that are named and those that they need. */
export const ROOT = path.resolve(import.meta.dirname, '..');
const LOCK = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')).packages;
/** What onnxruntime-node needs for nothing but its install script, which does not run. */
const FOR_INSTALLING = ['adm-zip', 'global-agent'];
/** Sources, types, what an editor left behind: nothing that Node reads. */
const LEFT_OUT = /\.(map|ts|cts|mts|cc|h|gyp)$|~$|^\.|^(script|src|install|tsconfig\.json)$/;
const PROGRAM = /^(ffmpeg|ffprobe)$/;

/**
 * Copies packages with all that they need into `target`/node_modules, as it runs on one platform whichever this is: of a package for another
 * platform than this the version of package-lock.json is fetched.
 * @param platform names of Node's: `{ os: 'linux', cpu: 'x64' }`; Linux is one with glibc.
 * @returns the folders in which the packages are now, relative to `target`.
 */
export function copyPackages(names, target, { os: system, cpu }) {
  const found = new Map();
  const visit = (name, from) => {
    const place = placeOf(name, from);
    const { [place]: entry } = LOCK;
    if (entry === undefined) throw new Error(`package-lock.json has no ${name}, which ${from || 'the project'} needs.`);
    if (found.has(place) || !isFor(entry, system, cpu)) return;
    found.set(place, entry);
    const { dependencies = {}, optionalDependencies = {} } = entry;
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies }))
      if (!FOR_INSTALLING.includes(needed)) visit(needed, place);
  };
  for (const name of names) visit(name, '');
  for (const [place, entry] of found) {
    const own = path.join(ROOT, place);
    if (existsSync(path.join(own, 'package.json'))) copyPackage(own, path.join(target, place), system, cpu);
    else if (entry.optional)
      withFetched(place, entry, (folder) => copyPackage(folder, path.join(target, place), system, cpu));
    else throw new Error(`${place} is not installed; run npm ci first.`);
  }
  return [...found.keys()];
}

/** Where package-lock.json has a package, as Node finds it from `from`. */
function placeOf(name, from) {
  for (let folder = from; folder !== ''; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    const place = `${folder}/node_modules/${name}`;
    if (place in LOCK) return place;
  }
  return `node_modules/${name}`;
}

const isFor = (entry, system, cpu) =>
  (entry.os?.includes(system) ?? true) && (entry.cpu?.includes(cpu) ?? true) && (entry.libc?.includes('glibc') ?? true);

/** A package's own files; the packages inside it are copied by themselves. */
function copyPackage(from, to, system, cpu) {
  // ONNX Runtime brings its libraries for every platform, in bin/napi-v6/linux/x64 and its siblings.
  const isForOther = ([first, , platform = system, architecture = cpu]) =>
    first === 'bin' && (platform !== system || architecture !== cpu);
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (file) => {
      const parts = path.relative(from, file).split(path.sep);
      return !isForOther(parts) && !parts.some((part) => part === 'node_modules' || LEFT_OUT.test(part));
    },
  });
  // The install script that would do so does not run, and a mounted package cannot be changed.
  for (const file of readdirSync(to)) if (PROGRAM.test(file)) chmodSync(path.join(to, file), 0o755);
}

/** Gives `use` the folder of a package that is not installed, and removes it afterwards. */
function withFetched(place, { version, integrity }, use) {
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const npm = process.env.npm_execpath;
  if (npm === undefined) throw new Error(`${name} is not installed and has to be fetched; run this by "npm run".`);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'package-'));
  try {
    console.log(`Fetching ${name} ${version}, which is not for this platform …`);
    const options = { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' };
    execFileSync(process.execPath, [npm, 'pack', '--silent', '--workspaces=false', `${name}@${version}`], options);
    const [file] = readdirSync(folder);
    const hash = createHash('sha512')
      .update(readFileSync(path.join(folder, file)))
      .digest('base64');
    if (integrity !== `sha512-${hash}`) throw new Error(`${name} ${version} is not what package-lock.json says.`);
    execFileSync('tar', ['-xzf', file], { cwd: folder });
    use(path.join(folder, 'package'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
