/**
 * Packs programs that consist of many files into a few, because reading them file by file takes most of the time in which they start:
 * - the compiled scorer, with the process that inspects a model: dist/scorer/bundle, which starts in two thirds of the time;
 * - Azurite, the local Functions host and the emulator of Azure: dist/stack/azurite, devhost and azure-emulator, in less than half. A package
 *   of the command line brings them that way;
 * - the app, which the local host loads in place of dist/app.js: dist/stack/app, in a third;
 * - the command line: dist/cli/packed, in half;
 * - the web page: dist/page/files, three files;
 * - of Application Insights' client the part that fills in envelopes: dist/telemetry/application-insights.js, a tenth of it.
 * Packages with native parts stay where they are. The licences of what is packed are in dist/THIRD-PARTY-NOTICES.txt.
 * Does nothing when a bundle is younger than all it is made of.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const root = import.meta.dirname;
const source = path.join(root, 'dist');
const outdir = path.join(source, 'scorer/bundle');
const azurite = path.join(source, 'stack/azurite');
const devhost = path.join(source, 'stack/devhost');
const emulator = path.join(source, 'stack/azure-emulator');
const app = path.join(source, 'stack/app');
const commands = path.join(source, 'cli/packed');
const insights = path.join(source, 'telemetry/application-insights.js');
const page = path.join(source, 'page');
const pageFiles = path.join(page, 'files');
const pageSource = path.join(root, 'src/page');

// Packages that are CommonJS inside ask for Node's own modules with `require`.
const banner = {
  js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
};

const PROGRAM = { bundle: true, splitting: true, platform: 'node', target: 'node20', format: 'esm' };

const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const bundles = [outdir, azurite, devhost, emulator, app, commands, pageFiles];
const compiledIn = (folder) =>
  readdirSync(folder, { recursive: true })
    .map((file) => path.join(folder, file))
    .filter((file) => file.endsWith('.js') && !bundles.some((bundle) => file.startsWith(bundle + path.sep)))
    .filter((file) => file !== insights);
const compiled = compiledIn(source).filter((file) => !file.startsWith(page + path.sep));
const installed = [path.join(root, 'package-lock.json'), import.meta.filename];
const isOld = (file, inputs) => changed(file) <= Math.max(...inputs.map((input) => changed(input)));

/** Places of the packages that each bundle has in it. */
const packedFile = path.join(source, 'packed.json');
const packed = statSync(packedFile, { throwIfNoEntry: false }) ? JSON.parse(readFileSync(packedFile, 'utf8')) : {};
let isPacked = false;

/** Has esbuild pack, and notes whose packages are in it. */
async function pack(name, options) {
  const [{ build }, { placesIn }] = await Promise.all([import('esbuild'), import('./infra/licences.mjs')]);
  const built = await build({ ...options, absWorkingDir: root, metafile: true, logLevel: 'warning' });
  packed[name] = [...new Set(placesIn(built.metafile))].toSorted();
  isPacked = true;
  return built;
}

if (isOld(path.join(outdir, 'main.js'), [...compiled, ...installed])) {
  rmSync(outdir, { recursive: true, force: true });
  await pack('scorer', {
    entryPoints: {
      main: path.join(source, 'scorer/main.js'),
      'engine-worker': path.join(source, 'scorer/engine/engine-worker.js'),
      'inspect-main': path.join(source, 'scorer/engine/inspect/inspect-main.js'),
      'decoder-process': path.join(source, 'scorer/pictures/decoder-process.js'),
    },
    outdir,
    ...PROGRAM,
    external: ['onnxruntime-node', 'sharp'],
    banner,
  });
}

if (isOld(path.join(azurite, 'azurite.js'), installed)) {
  // Telemetry and a database server are what Azurite has no use for here, and a third of what it reads.
  const leaveOut = {
    name: 'leave-out',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^(applicationinsights|sequelize)$/ }, ({ path: name }) => ({
        path: name,
        namespace: 'left-out',
      }));
      onLoad({ filter: /./, namespace: 'left-out' }, () => ({ contents: 'exports.Model = class {};' }));
      // What src/stack/azurite-main.ts changes before it has Azurite run.
      onResolve({ filter: /^parts$/ }, ({ path: name }) => ({ path: name, namespace: 'parts' }));
      onLoad({ filter: /./, namespace: 'parts' }, () => ({
        contents: `exports.ExtentStore = require('azurite/dist/src/common/persistence/FSExtentStore').default;
          exports.utils = require('azurite/dist/src/common/utils/utils');
          exports.answers = require('azurite/dist/src/blob/generated/utils/xml');
          exports.run = () => require('azurite/dist/src/azurite');`,
        resolveDir: root,
      }));
      // Its own file, so that src/stack/azurite-main.ts can have it replaced.
      onResolve({ filter: /^lokijs$/ }, ({ kind }) =>
        kind === 'entry-point' ? undefined : { path: './lokijs.js', external: true },
      );
    },
  };
  await pack('azurite', {
    entryPoints: { lokijs: 'lokijs', azurite: 'parts' },
    outdir: azurite,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    plugins: [leaveOut],
  });
  // The folder above is one of ES modules.
  writeFileSync(path.join(azurite, 'package.json'), '{"type":"commonjs"}');
}

/** Packs a program of a workspace, which brings packages of its own. */
async function packWorkspace(from, to, entryPoints) {
  if (!isOld(path.join(to, 'main.js'), [...compiledIn(from), ...installed])) return;
  rmSync(to, { recursive: true, force: true });
  await pack(path.basename(to), {
    entryPoints: Object.fromEntries(Object.entries(entryPoints).map(([name, file]) => [name, path.join(from, file)])),
    outdir: to,
    ...PROGRAM,
    banner,
  });
}

await packWorkspace(path.join(root, 'devhost/dist'), devhost, {
  main: 'main.js',
  'worker-main': 'app/worker-main.js',
  lifeline: 'app/lifeline.js',
});
await packWorkspace(path.join(root, 'azure-emulator/dist'), emulator, { main: 'main.js' });

const drawn = readdirSync(pageSource, { recursive: true })
  .map((file) => path.join(pageSource, file))
  .filter((file) => /\.(css|html)$/.test(file));
const shared = ['api', 'job'].flatMap((room) => compiledIn(path.join(source, room)));
if (isOld(path.join(pageFiles, 'index.html'), [...compiledIn(page), ...shared, ...drawn, ...installed])) {
  const { outputFiles, metafile } = await pack('page', {
    entryPoints: { app: path.join(page, 'main.js'), style: path.join(pageSource, 'page.css') },
    entryNames: '[name].[hash]',
    outdir: pageFiles,
    bundle: true,
    minify: true,
    legalComments: 'none',
    platform: 'browser',
    target: 'es2022',
    format: 'esm',
    write: false,
  });
  rmSync(pageFiles, { recursive: true, force: true });
  mkdirSync(pageFiles, { recursive: true });
  const named = Object.keys(metafile.outputs).map((file) => path.basename(file));
  const nameOf = (start) => named.find((name) => name.startsWith(start));
  const index = readFileSync(path.join(pageSource, 'index.html'), 'utf8')
    .replace('app.js', nameOf('app.'))
    .replace('style.css', nameOf('style.'));
  const write = (file, contents) => {
    writeFileSync(`${file}.br`, brotliCompressSync(contents));
    writeFileSync(`${file}.gz`, gzipSync(contents, { level: 9 }));
    writeFileSync(file, contents);
  };
  for (const { path: file, contents } of outputFiles) write(file, contents);
  // Whoever finds the index finds all of it.
  write(path.join(pageFiles, 'index.html'), Buffer.from(index));
}

if (isOld(insights, installed)) {
  // What stands in for the parts that collect by themselves, send, print, and read settings of their own; the client asks no more of them.
  const standIns = {
    CorrelationContextManager: 'exports.CorrelationContextManager = { getCurrentContext: () => null };',
    Statsbeat: 'module.exports = class { enable() {} };',
    PreAggregatedMetrics: 'exports.isEnabled = () => false;',
    Performance: 'exports.countRequest = exports.countDependency = exports.countException = () => {};',
    Sender: 'module.exports = class {};',
    AuthorizationHandler: 'module.exports = class {};',
    Logging: 'exports.info = exports.warn = () => {};',
    JsonConfig: 'exports.JsonConfig = { getInstance: () => ({}) };',
  };
  const standIn = {
    name: 'stand-in',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.{1,2}\// }, ({ path: name }) =>
        path.basename(name) in standIns ? { path: path.basename(name), namespace: 'stand-in' } : undefined,
      );
      onLoad({ filter: /./, namespace: 'stand-in' }, ({ path: name }) => ({ contents: standIns[name] }));
    },
  };
  await pack('application-insights', {
    stdin: {
      // The package's index would start what collects by itself.
      contents: "export { default as TelemetryClient } from 'applicationinsights/out/Library/TelemetryClient.js';",
      resolveDir: root,
    },
    outfile: insights,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    banner,
    plugins: [standIn],
  });
}

/** Packs a program of dist whose files name others beside themselves, and leads them back to where those still are. */
async function packInPlace(to, entry) {
  const packedEntry = path.join(to, path.basename(entry));
  if (!isOld(packedEntry, [...compiled, insights, ...installed])) return;
  const leadBack = {
    name: 'lead-back',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path: file }) => {
        if (!file.startsWith(source + path.sep)) return undefined;
        const placeOf = (_, named) => {
          const place = path.relative(to, path.resolve(path.dirname(file), named)).replaceAll(path.sep, '/');
          return `new URL('${place}', import.meta.url)`;
        };
        const text = readFileSync(file, 'utf8');
        return { contents: text.replaceAll(/new URL\('([^']+)', import\.meta\.url\)/g, placeOf) };
      });
    },
  };
  await pack(path.relative(source, to), {
    entryPoints: [entry],
    outdir: to,
    ...PROGRAM,
    external: [
      '@azure/functions-core',
      '@ffmpeg-installer/ffmpeg',
      '@ffprobe-installer/ffprobe',
      'jimp',
      'onnxruntime-node',
      'sharp',
    ],
    // As in infra/app/package.mjs.
    alias: {
      '@azure/arm-containerinstance': path.join(
        root,
        'node_modules/@azure/arm-containerinstance/dist-esm/src/index.js',
      ),
    },
    banner: { js: banner.js.replaceAll('requireFrom', 'requireHere') },
    plugins: [leadBack],
  });
  // What runs loads parts when it needs them: those of the last day's builds stay.
  for (const name of readdirSync(to)) {
    const file = path.join(to, name);
    if (changed(file) < Date.now() - 86_400_000) rmSync(file);
  }
}

await Promise.all([
  packInPlace(app, path.join(source, 'app.js')),
  packInPlace(commands, path.join(source, 'cli/main.js')),
]);

if (isPacked) {
  const { writeNotices } = await import('./infra/licences.mjs');
  writeNotices(source, 'durable-batch-scoring command line', Object.values(packed).flat());
  writeFileSync(packedFile, JSON.stringify(packed));
}
