import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { loadSession } from '../../src/scorer/session.js';
import { tinyModel } from './tiny-model.js';

const runtime = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
const hasCuda = existsSync(
  path.join(runtime, 'bin/napi-v6', process.platform, process.arch, 'libonnxruntime_providers_cuda.so'),
);

test.skipIf(hasCuda)(
  'a scorer that is told to use a GPU and has none fails, and does not go on on the CPU',
  async () => {
    const model = tinyModel({ operator: 'Identity', shape: [1, 3, 8, 8] });
    await expect(loadSession(model, 'The model', 1, 'cuda')).rejects.toMatchObject({
      kind: 'user',
      message: expect.stringMatching(/told to use a GPU and there is none .* use an image with CUDA/) as string,
    });
  },
);
