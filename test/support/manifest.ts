import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { manifestSchema } from '../../src/job/manifest.js';
import type { Manifest } from '../../src/job-store/manifest.js';

export const MANIFEST_SCHEMA = path.resolve(import.meta.dirname, '../../docs/manifest.schema.json');

/** A manifest as it was read, once both the published schema and the app's own take it. @throws ZodError */
export function checkManifest(text: string | Buffer): Manifest {
  const manifest: unknown = JSON.parse(text.toString());
  const schema = JSON.parse(readFileSync(MANIFEST_SCHEMA, 'utf8')) as Parameters<typeof z.fromJSONSchema>[0];
  z.fromJSONSchema(schema).parse(manifest);
  manifestSchema.parse(manifest);
  return manifest as Manifest;
}
