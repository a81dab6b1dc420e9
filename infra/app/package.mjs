import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { placesIn, writeNotices } from '../licences.mjs';
import { copyPackages, ROOT } from '../packages.mjs';
import { writeZip } from './zip.mjs';

/**
 * `npm run package` makes what Azure gets: the folder out/app, and out/app.zip with the same in it. The app is packed into a few files,
 * which load in a third of the time; beside it are the page, the scorer, for jobs with the compute `local`, the model that comes with the app, and
 * the packages with native parts, as they are for Linux on x64. The same sources make the same archive.
 */
const DIST = path.join(ROOT, 'dist');
/** What the app runs and starts, each under a name of its own, as all of them come to lie in one folder. */
const PROGRAMS = [
  'app.js',
  'processes/attached.js',
  'scorer/engine/engine-worker.js',
  'scorer/pictures/decoder-process.js',
];
const SCORER = 'scorer/bundle';
const SCORER_PROGRAMS = ['main', 'engine/engine-worker', 'engine/inspect/inspect-main', 'pictures/decoder-process'];
const PAGE = 'page/files';
const PAGE_PROGRAM = 'page/main.js';
const MODELS = path.join(ROOT, 'models');
const PACKAGES = ['@ffmpeg-installer/ffmpeg', '@ffprobe-installer/ffprobe', 'onnxruntime-node', 'sharp'];
/** The Functions host's worker gives it to the app. */
const FROM_HOST = '@azure/functions-core';
const AZURE = { os: 'linux', cpu: 'x64' };
/** Programs in packages; Azure mounts the archive, so that they cannot be made executable there. */
const isProgram = (name) => /\/(ffmpeg|ffprobe)$/.test(name) && name.startsWith('node_modules/');
const OURS = 'sbom.spdx.json';

const inDist = (file) => path.join(DIST, file);

/** Leads what a file names beside itself to where that is in the package. */
const leadOn = {
  name: 'lead-on',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path: file }) => {
      if (!file.startsWith(DIST + path.sep)) return undefined;
      const text = readFileSync(file, 'utf8');
      const contents = text.replaceAll(/new URL\('([^']+)', import\.meta\.url\)/g, (_, named) => {
        const to = newPlaceOf(path.resolve(path.dirname(file), named));
        if (to !== undefined) return `new URL('${to}', import.meta.url)`;
        throw new Error(`${path.relative(ROOT, file)} names ${named}, which infra/app/package.mjs does not pack.`);
      });
      return { contents };
    });
  },
};

function newPlaceOf(file) {
  if (file === MODELS) return '../models';
  if (file === path.join(ROOT, 'package.json')) return '../package.json';
  const inside = path.relative(DIST, file).replaceAll(path.sep, '/');
  if (PROGRAMS.includes(inside)) return `./${path.posix.basename(inside)}`;
  return inside === PAGE || inside.startsWith(`${SCORER}/`) ? `./${inside}` : undefined;
}

const bundled = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  splitting: true,
  metafile: true,
  absWorkingDir: ROOT,
  external: [...PACKAGES, FROM_HOST],
  // The app loads it when it is asked for: esbuild gives a CommonJS package that is loaded so as `default` alone, and none of its names.
  alias: {
    '@azure/arm-containerinstance': path.join(ROOT, 'node_modules/@azure/arm-containerinstance/dist-esm/src/index.js'),
  },
  logLevel: 'warning',
};

async function packageApp(target) {
  const outdir = path.join(target, 'dist');
  const app = await build({
    ...bundled,
    entryPoints: PROGRAMS.map(inDist),
    entryNames: '[name]',
    outdir,
    plugins: [leadOn],
    // Packages that are CommonJS inside ask for Node's own modules with `require`. A file that bundle.mjs has packed brings such lines along,
    // and esbuild does not know what a banner declares: so this has a name of its own.
    banner: {
      js: "import { createRequire as requireOfApp } from 'node:module';\nconst require = requireOfApp(import.meta.url);",
    },
  });
  cpSync(inDist(SCORER), path.join(outdir, SCORER), { recursive: true });
  cpSync(inDist(PAGE), path.join(outdir, PAGE), { recursive: true });
  cpSync(MODELS, path.join(target, 'models'), { recursive: true });
  const copied = copyPackages(PACKAGES, target, AZURE);
  cpSync(path.join(ROOT, 'host.json'), path.join(target, 'host.json'));
  cpSync(path.join(ROOT, 'LICENSE'), path.join(target, 'LICENSE'));
  const { dependencies, ...own } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  const { name, version, description, license, type, main, engines } = own;
  const needed = Object.fromEntries(PACKAGES.map((each) => [each, dependencies[each]]));
  const manifest = { name, version, description, license, private: true, type, main, engines, dependencies: needed };
  writeFileSync(path.join(target, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  // Both Azure's command lines take all of the folder but this; without the file one of them would leave out node_modules.
  writeFileSync(path.join(target, '.funcignore'), 'local.settings.json\n');
  const scorer = await build({
    ...bundled,
    entryPoints: SCORER_PROGRAMS.map((program) => inDist(`scorer/${program}.js`)),
    outdir: 'nowhere',
    write: false,
  });
  const page = await build({ ...bundled, entryPoints: [inDist(PAGE_PROGRAM)], outdir: 'nowhere', write: false });
  const packed = [app, scorer, page].flatMap(({ metafile }) => placesIn(metafile));
  writeNotices(target, 'durable-batch-scoring app', [...packed, ...copied]);
}

/** Bytes of all files below a folder. */
const sizeOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(path.join(entry.parentPath, entry.name)).size, 0);

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function giveUp(sentence) {
  console.error(sentence);
  process.exit(2);
}

/** What was asked for on the command line. */
function asked() {
  try {
    return parseArgs({ options: { out: { type: 'string', default: 'out/app' }, 'no-zip': { type: 'boolean' } } })
      .values;
  } catch (error) {
    return giveUp(`${error.message.split('. ')[0]}; there are --out FOLDER and --no-zip.`);
  }
}

const TAKES = 100;

/**
 * Puts a folder into the place of another one, which goes aside: no folder can be replaced at once.
 * Whoever comes to do the same in between is waited out.
 */
function takePlace(folder, place, aside) {
  for (let takes = 1; ; takes += 1) {
    try {
      if (existsSync(place)) renameSync(place, `${aside}-${takes}`);
      renameSync(folder, place);
      return;
    } catch (error) {
      if (takes === TAKES || !['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EPERM'].includes(error.code)) throw error;
    }
  }
}

const values = asked();
const out = path.resolve(values.out);
if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(path.join(out, OURS))) {
  giveUp(`${out} holds something else than a package of the app; name another folder with --out.`);
}
// Whoever finds the folder finds all of it, and two that make it at the same time do not get into each other's way.
mkdirSync(path.dirname(out), { recursive: true });
const making = mkdtempSync(`${out}.`);
try {
  const made = path.join(making, 'app');
  mkdirSync(made);
  await packageApp(made);
  const archive = path.join(making, 'app.zip');
  const size = values['no-zip'] ? undefined : writeZip(made, archive, isProgram);
  const parts = ['dist', ...PACKAGES.map((name) => `node_modules/${name.split('/')[0]}`), 'node_modules/@img'];
  const sizes = parts.map((part) => `  ${part}: ${megabytes(sizeOf(path.join(made, part)))}`);
  const whole = megabytes(sizeOf(made));
  takePlace(made, out, path.join(making, 'before'));
  console.log([`${out}: ${whole}`, ...sizes].join('\n'));
  if (size !== undefined) {
    renameSync(archive, `${out}.zip`);
    console.log(`${out}.zip: ${megabytes(size)}`);
  }
} finally {
  rmSync(making, { recursive: true, force: true });
}
