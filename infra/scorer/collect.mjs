import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';

/**
 * `node infra/scorer/collect.mjs FOLDER` puts into FOLDER what the scorer runs with: its packed program, and the packages with
 * native parts that cannot be packed, with those that they need. An image is pulled for every container, so it is small.
 */
const ROOT = path.resolve(import.meta.dirname, '../..');
const PROGRAM = 'dist/scorer/bundle';
/** jimp, which takes the place of sharp where that does not load, is packed into the program: of its packages only a tenth is needed. */
const PACKAGES = ['onnxruntime-node', 'sharp'];
const target = process.argv[2];
if (target === undefined) throw new Error('Name the folder for the scorer.');

/** Folder of a package as Node finds it from `from`; undefined for an optional one that is not for this platform. */
function find(name, from) {
  for (let folder = from; folder.startsWith(ROOT); folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', name);
    if (existsSync(path.join(candidate, 'package.json'))) return candidate;
  }
  return undefined;
}

/** All package folders that these names need, each once. */
function closure(names) {
  const found = new Set();
  const visit = (name, from, optional) => {
    const folder = find(name, from);
    if (folder === undefined && !optional) throw new Error(`${name} is not installed; run npm ci first.`);
    if (folder === undefined || found.has(folder)) return;
    found.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(path.join(folder, 'package.json'), 'utf8'),
    );
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies }))
      visit(needed, folder, needed in optionalDependencies);
  };
  for (const name of names) visit(name, ROOT, false);
  return found;
}

/** A package's own files; the packages inside it are copied by themselves. */
function copyPackage(folder) {
  const own = realpathSync(folder);
  cpSync(own, path.join(target, path.relative(ROOT, folder)), {
    recursive: true,
    filter: (file) => !path.relative(own, file).split(path.sep).includes('node_modules') && !file.endsWith('.map'),
  });
}

mkdirSync(target, { recursive: true });
cpSync(path.join(ROOT, PROGRAM), path.join(target, PROGRAM), { recursive: true });
cpSync(path.join(ROOT, 'package.json'), path.join(target, 'package.json'));
for (const folder of closure(PACKAGES)) copyPackage(folder);
// ONNX Runtime brings its libraries for every platform.
const libraries = path.join(target, 'node_modules/onnxruntime-node/bin/napi-v6');
for (const platform of readdirSync(libraries))
  for (const architecture of readdirSync(path.join(libraries, platform)))
    if (platform !== process.platform || architecture !== process.arch)
      rmSync(path.join(libraries, platform, architecture), { recursive: true });
