import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { placesIn, writeNotices } from '../licences.mjs';
import { copyPackages, ROOT } from '../packages.mjs';

/**
 * `node infra/scorer/collect.mjs FOLDER` puts into FOLDER what the scorer runs with: its packed program, and the packages with
 * native parts that cannot be packed, with those that they need. An image is pulled for every container, so it is small.
 */
const SCORER = path.join(ROOT, 'dist/scorer');
/** jimp, which takes the place of sharp where that does not load, is packed into the program: of its packages only a tenth is needed. */
const PACKAGES = ['onnxruntime-node', 'sharp'];
const target = process.argv[2];
if (target === undefined) throw new Error('Name the folder for the scorer.');

mkdirSync(target, { recursive: true });
cpSync(path.join(SCORER, 'bundle'), path.join(target, 'dist/scorer/bundle'), { recursive: true });
cpSync(path.join(ROOT, 'package.json'), path.join(target, 'package.json'));
const copied = copyPackages(PACKAGES, target, { os: process.platform, cpu: process.arch });
const { metafile } = await build({
  entryPoints: ['main', 'engine/engine-worker', 'engine/inspect/inspect-main', 'pictures/decoder-process'].map((file) =>
    path.join(SCORER, `${file}.js`),
  ),
  outdir: 'nowhere',
  absWorkingDir: ROOT,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  external: PACKAGES,
  metafile: true,
  write: false,
});
writeNotices(target, 'durable-batch-scoring scorer', [...placesIn(metafile), ...copied]);
