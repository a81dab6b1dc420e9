/**
 * Packs the compiled scorer into a few files under dist/scorer/bundle: it starts in two thirds of the time, because reading
 * the storage SDK file by file takes longer than loading a model. Packages with native parts stay where they are.
 * Does nothing when the bundle is younger than all it is made of.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';

const root = import.meta.dirname;
const source = path.join(root, 'dist');
const outdir = path.join(source, 'scorer/bundle');

const changed = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const compiled = readdirSync(source, { recursive: true })
  .filter((file) => file.endsWith('.js') && !file.startsWith(path.join('scorer', 'bundle')))
  .map((file) => path.join(source, file));
const inputs = [...compiled, path.join(root, 'package-lock.json'), import.meta.filename];

if (changed(path.join(outdir, 'main.js')) <= Math.max(...inputs.map((file) => changed(file)))) {
  const { build } = await import('esbuild');
  rmSync(outdir, { recursive: true, force: true });
  await build({
    entryPoints: {
      main: path.join(source, 'scorer/main.js'),
      'engine-worker': path.join(source, 'scorer/engine/engine-worker.js'),
      'decoder-process': path.join(source, 'scorer/pictures/decoder-process.js'),
    },
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['onnxruntime-node', 'sharp'],
    // Packages that are CommonJS inside ask for Node's own modules with `require`.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
