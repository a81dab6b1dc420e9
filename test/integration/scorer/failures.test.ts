import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import type { ModelCard } from '../../../src/model-card/schema.js';
import { createModelInspector } from '../../../src/scorer/engine/inspect/inspect.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';
import { cardOf, ROOT, ScorerJob, STARRY_NIGHT, startScorer } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';

const BAD_MODELS = [
  ['empty.onnx', 'is an empty file'],
  ['html-page-saved-as.onnx', 'is a web page and no ONNX model'],
  ['truncated-candy.onnx', 'is cut off or no ONNX model'],
  ['unknown-op-Debug-squeezenet_fp16.onnx', 'uses the operator Debug'],
] as const;

const inspect = createModelInspector({}, path.join(ROOT, 'dist/scorer/engine/inspect/inspect-main.js'));
let card: ModelCard;
let frame: Buffer;
beforeAll(async () => {
  card = await cardOf(STARRY_NIGHT);
  frame = await createSharpCodec().encode(paint(64, 48), 'png');
});

async function newJob(inputs: Record<string, Buffer>, model: string | Buffer = STARRY_NIGHT): Promise<ScorerJob> {
  const job = await ScorerJob.create(inject('storage'), { model, card });
  await job.addInputs(inputs);
  return job;
}

describe.concurrent('an item that cannot be scored', () => {
  it('is named with its reason, and the others are scored', async () => {
    const tiny = await createSharpCodec().encode(paint(2, 2), 'png');
    const inputs = {
      'a.png': frame,
      'b.png': Buffer.from('no picture'),
      'c.png': Buffer.alloc(0),
      'd.png': tiny,
      'e.png': frame,
    };
    const job = await newJob(inputs);
    const { finished, result } = await job.score([...Object.keys(inputs), 'gone.png']);
    expect(finished.code).toBe(0);
    expect(result.outcome).toBe('completed');
    expect(result.done.toSorted()).toEqual(['a', 'e']);
    const reasons = new Map(result.failed.map(({ name, reason }) => [name, reason]));
    expect([...reasons.keys()].toSorted()).toEqual(['b', 'c', 'd', 'gone']);
    expect(reasons.get('b')).toContain('the picture cannot be read');
    expect(reasons.get('c')).toBe('the picture file is empty');
    expect(reasons.get('d')).toMatch(/^the model failed: (?!.*onnxruntime_src)/);
    expect(reasons.get('gone')).toBe('the input frames/gone.png does not exist');
    expect((await job.progress()).metadata).toMatchObject({ done: '2', failed: '4' });
    expect(await job.log()).toMatch(/"level":"warn","message":"item b failed: the picture cannot be read/);
  });
});

describe.skipIf(!hasSharedData).concurrent('a broken model (needs ../shared/data)', () => {
  it.each(BAD_MODELS)('%s fails the run before any item', async (file, says) => {
    const job = await newJob({ 'a.png': frame }, readFileSync(sharedData(`bad/${file}`)));
    const { finished, result } = await job.score(['a.png']);
    expect(finished).toMatchObject({ code: 0, stderr: '' });
    expect(result).toMatchObject({ outcome: 'failed', failure: { blame: 'user' }, done: [], failed: [] });
    expect(result.failure?.message).toMatch(new RegExp(`^The model ${says}.*\\.$`));
  });

  it.each(BAD_MODELS)('%s is refused by the inspector', async (file, says) => {
    await expect(inspect(sharedData(`bad/${file}`), 'mine')).rejects.toMatchObject({
      blame: 'user',
      message: expect.stringContaining(`The model "mine" ${says}`),
    });
  });
});

describe.concurrent('the inspector', () => {
  it('gives the signature, and what the file says besides', async () => {
    expect(await inspect(STARRY_NIGHT, 'starry-night')).toMatchObject({
      inputs: [{ name: 'image', type: 'float32', shape: ['batch', 3, 'height', 'width'] }],
      outputs: [{ name: 'stylized', type: 'float32', shape: ['batch', 3, 'height', 'width'] }],
      hints: { metadata: { title: 'starry-night (light)' }, makers: { stylized: 'Clip' } },
    });
  });

  it('names a file it cannot read', async () => {
    await expect(inspect('/nowhere.onnx', 'mine')).rejects.toMatchObject({ blame: 'user' });
  });

  it('survives a model that ends the process', async () => {
    const crashing = createModelInspector({}, path.join(ROOT, 'dist/scorer/no-such-entry.js'));
    await expect(crashing(STARRY_NIGHT, 'mine')).rejects.toThrow('The model "mine" crashes ONNX Runtime (exit code 1)');
  });
});

describe.concurrent('a run that cannot go on', () => {
  it('says that the card is for another model', async () => {
    const job = await ScorerJob.create(inject('storage'), {
      model: STARRY_NIGHT,
      card: { ...card, input: { ...card.input, name: 'other' } },
    });
    await job.addInputs({ 'a.png': frame });
    const { result } = await job.score(['a.png']);
    expect(result).toMatchObject({
      outcome: 'failed',
      failure: { blame: 'user', message: expect.stringContaining('names the input "other"') },
    });
  });

  it('says that there is no model', async () => {
    const job = await newJob({ 'a.png': frame });
    await job.job.getBlobClient('model.onnx').delete();
    const { result } = await job.score(['a.png']);
    expect(result.failure).toEqual({ blame: 'user', message: 'There is no blob for the model file.' });
  });

  it('blames the platform for storage that fails, not the items', async () => {
    const job = await newJob({ 'a.png': frame });
    const env = await job.nextAttempt(['a.png']);
    const url = new URL(env['WORK_CONTAINER_URL'] ?? '');
    url.searchParams.set('sig', 'c2VjcmV0');
    const { code, stdout, stderr } = await startScorer({ ...env, WORK_CONTAINER_URL: url.href }).finished;
    expect(code).toBe(0);
    const result = await job.result();
    expect(result).toMatchObject({ outcome: 'failed', failure: { blame: 'platform' }, failed: [], done: [] });
    expect(result.failure?.message).toContain('Storage did not let the scorer list the outputs (HTTP 403');
    expect(stdout + stderr + JSON.stringify(result)).not.toMatch(/c2VjcmV0|sig=/);
  });

  it('ends with 1 and one line when it has no task', async () => {
    const job = await newJob({});
    const { code, stderr } = await startScorer(await job.environment()).finished;
    expect(code).toBe(1);
    expect(stderr).toBe('There is no blob for the task task-0.json.\n');
  });

  it('ends with 1 and one line when its environment is wrong', async () => {
    const { code, stderr } = await startScorer({ TASK_BLOB: 'x' }).finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The scorer's environment variable JOB_CONTAINER_URL .*\n$/);
  });

  it('ends with 1 and one line when storage is away', async () => {
    const job = await newJob({});
    const env = await job.nextAttempt([]);
    const away = (env['JOB_CONTAINER_URL'] ?? '').replace(/:\d+\//, ':9/');
    const { code, stderr } = await startScorer({ ...env, JOB_CONTAINER_URL: away }).finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Storage did not let the scorer read the task task-1.json \(ECONNREFUSED\)\.\n$/);
  });
});
