import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ModelCard } from '../../../src/model-card/schema.js';
import { createModelInspector } from '../../../src/scorer/engine/inspect/inspect.js';
import { constantNode, operatorNode } from '../../../src/scorer/onnx/model-messages.js';
import { AttributeProto_AttributeType as AttributeType, TensorProtoSchema } from '../../../src/scorer/onnx/onnx_pb.js';
import { poll } from '../../../src/poll.js';
import { startChild } from '../../../src/processes/child-process.js';
import { isAlive } from '../../../src/processes/living.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { hasSharedData, sharedData } from '../../support/shared-data.js';
import { cardOf, ROOT, ScorerJob, STARRY_NIGHT, startScorer } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';
import { externalTensor, modelFile, tensorInfo } from '../../support/scorer/tiny-model.js';

const BAD_MODELS = [
  ['empty.onnx', 'is an empty file'],
  ['html-page-saved-as.onnx', 'is a web page and no ONNX model'],
  ['truncated-candy.onnx', 'is cut off or no ONNX model'],
  ['unknown-op-Debug-squeezenet_fp16.onnx', 'uses the operator Debug'],
] as const;

const ENTRY = path.join(ROOT, 'dist/scorer/engine/inspect/inspect-main.js');
const inspect = createModelInspector({}, ENTRY);
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

describe.concurrent('a model', () => {
  it('that is not the one that the job was started with scores nothing', async () => {
    const job = await newJob({ 'a.png': frame });
    job.sums = { model: createHash('sha256').update('another').digest('hex') };
    const { result } = await job.score(['a.png']);
    expect(result).toMatchObject({ outcome: 'failed', failure: { blame: 'user' }, done: [], failed: [] });
    expect(result.failure?.message).toMatch(/^The model was replaced while its job ran/);
    job.sums = { model: createHash('sha256').update(readFileSync(STARRY_NIGHT)).digest('hex') };
    expect((await job.score(['a.png'])).result).toMatchObject({ outcome: 'completed', done: ['a'] });
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

  it.each(['SIGSEGV', 'SIGABRT', 'SIGILL', 'SIGBUS', 'SIGFPE', 'SIGTRAP'] as const)(
    'blames the model for a process that breaks with %s',
    async (signal) => {
      const crashing = createModelInspector({}, endingBy(signal));
      await expect(crashing(STARRY_NIGHT, 'mine')).rejects.toMatchObject({
        blame: 'user',
        message: `The model "mine" crashes ONNX Runtime (killed by ${signal}): export or download it again.`,
      });
    },
  );

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'blames the platform for a process that %s from outside ends',
    async (signal) => {
      const killed = createModelInspector({}, endingBy(signal));
      await expect(killed(STARRY_NIGHT, 'mine')).rejects.toMatchObject({
        blame: 'platform',
        message: `The model "mine" could not be looked into: the process that loads it was killed by ${signal}, perhaps because memory is short; try again when other programs need less.`,
      });
    },
  );

  it('says of a model that takes too long that it does', async () => {
    const idle = path.join(folder, 'idle.mjs');
    writeFileSync(idle, 'setInterval(() => {}, 1000);');
    const hasty = createModelInspector({}, idle, { seconds: 0.2, trialSeconds: 20 });
    await expect(hasty(STARRY_NIGHT, 'mine')).rejects.toMatchObject({
      blame: 'user',
      message: 'The model "mine" cannot be loaded within 0.2 s; export it smaller or simpler.',
    });
  });

  it('keeps what a trial has shown before its process was killed', async () => {
    const dying = path.join(folder, 'dying-trial.mjs');
    const kill = `console.log = (line) => process.stdout.write(line + '\\n', () => { if (line.includes('"runs"')) process.kill(process.pid, 'SIGKILL'); });`;
    writeFileSync(dying, `${kill} await import(${JSON.stringify(ENTRY)});`);
    const { trial } = await createModelInspector({}, dying)(STARRY_NIGHT, 'mine', 'cpu', { card: {} });
    expect(trial).toMatchObject({ runs: [expect.anything()], done: false });
  });

  const folder = mkdtempSync(path.join(os.tmpdir(), 'inspector-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  /** A program that a signal ends as soon as it runs. */
  const endingBy = (signal: NodeJS.Signals) => {
    const entry = path.join(folder, `${signal}.mjs`);
    writeFileSync(entry, `process.kill(process.pid, '${signal}'); setInterval(() => {}, 1000);`);
    return entry;
  };

  describe('that is told later what to try', () => {
    /** An inspector that says which process it is. */
    const watched = (name: string) => {
      const [entry, said] = [path.join(folder, `${name}.mjs`), path.join(folder, `${name}.pid`)];
      const say = `writeFileSync(${JSON.stringify(said)}, String(process.pid));`;
      writeFileSync(entry, `import { writeFileSync } from 'node:fs'; ${say} await import(${JSON.stringify(ENTRY)});`);
      const started = () =>
        poll(() => Promise.resolve(existsSync(said) ? readFileSync(said, 'utf8') || undefined : undefined), {
          pauseMs: 10,
        });
      return { inspector: createModelInspector({}, entry), started };
    };

    it('starts before it is, and reads the file that comes meanwhile', async () => {
      const { inspector, started } = watched('early');
      const file = path.join(folder, 'later.onnx');
      const asking = started().then(() => {
        copyFileSync(STARRY_NIGHT, file);
        return { card: {} };
      });
      const { trial } = await inspector(file, 'mine', 'cpu', asking);
      expect(trial).toMatchObject({ done: true });
    });

    it('ends when there is nothing to try, and throws why', async () => {
      const { inspector, started } = watched('vain');
      const asking = started().then((): never => {
        throw new Error('no such video');
      });
      await expect(inspector(STARRY_NIGHT, 'mine', 'cpu', asking)).rejects.toThrow('no such video');
      expect(isAlive(Number(await started()))).toBe(false);
    });
  });
});

describe.concurrent('the inspector is given a hostile model:', () => {
  const free = ['batch', 3, 'height', 'width'];
  const picture = { input: [tensorInfo('x', free)], output: [tensorInfo('y', free)] };
  const raw = (name: string, dataType: number, rawData: Uint8Array<ArrayBuffer>) => ({
    opType: 'Constant',
    output: [name],
    attribute: [
      {
        name: 'value',
        type: AttributeType.TENSOR,
        t: toBinary(TensorProtoSchema, create(TensorProtoSchema, { dataType, rawData })),
      },
    ],
  });
  const [INT64, BOOL] = [7, 9];
  const typed = (name: string, elemType: number) => ({
    name,
    type: { value: { case: 'tensorType' as const, value: { elemType, shape: { dim: [] } } } },
  });
  const endless = () =>
    modelFile({
      node: [
        raw('times', INT64, new Uint8Array(BigInt64Array.of(2n ** 62n).buffer)),
        raw('go', BOOL, Uint8Array.of(1)),
        {
          opType: 'Loop',
          input: ['times', 'go', 'x'],
          output: ['y'],
          attribute: [
            {
              name: 'body',
              type: AttributeType.GRAPH,
              g: {
                name: 'body',
                node: [operatorNode('Identity', ['on'], 'goOn'), operatorNode('Neg', ['value'], 'next')],
                input: [typed('round', INT64), typed('on', BOOL), tensorInfo('value', free)],
                output: [typed('goOn', BOOL), tensorInfo('next', free)],
              },
            },
          ],
        },
      ],
      ...picture,
    });
  const gigantic = () =>
    modelFile({
      node: [
        constantNode('size', [1_000_000, 1_000_000], [2]),
        operatorNode('ConstantOfShape', ['size'], 'zeros'),
        operatorNode('ReduceMax', ['zeros'], 'zero'),
        operatorNode('Add', ['x', 'zero'], 'y'),
      ],
      ...picture,
    });
  const foreign = () =>
    modelFile(
      { node: [{ ...operatorNode('Evil\u001b[31m', ['x'], 'y'), domain: 'com.evil' }], ...picture },
      { domain: 'com.evil' },
    );
  const withOpset = (opset: number | null) => () =>
    modelFile({ node: [operatorNode('Relu', ['x'], 'y')], ...picture }, { opset });
  const reaching = () =>
    modelFile({
      initializer: [externalTensor('w', { location: '../../etc/passwd' }, [1])],
      node: [operatorNode('Add', ['x', 'w'], 'y')],
      ...picture,
    });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'hostile-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const written = (name: string, model: Buffer) => {
    const file = path.join(folder, name);
    writeFileSync(file, model);
    return file;
  };

  it('a loop without an end is left, and nothing counts that it has not shown', async () => {
    const hasty = createModelInspector({}, ENTRY, { seconds: 120, trialSeconds: 0.5 });
    const given = await hasty(written('endless.onnx', endless()), 'mine', 'cpu', { card: { input: { name: 'x' } } });
    expect(given).toMatchObject({ inputs: [{ name: 'x' }] });
    expect(given.trial).toBeUndefined();
  });

  it('a tensor of a million million values is not made', async () => {
    const { trial } = await inspect(written('gigantic.onnx', gigantic()), 'mine', 'cpu', {
      card: { input: { name: 'x' } },
    });
    expect(trial).toEqual({ runs: [], done: true });
  });

  it.each([
    ['an operator of its own', foreign, /uses the operator com\.evil:Evil.*export it without/],
    ['operators of version 0', withOpset(0), /says no version of ONNX's operators \(opset\).*export it again/],
    ['operators of no version', withOpset(null), /says no version of ONNX's operators \(opset\).*export it again/],
    [
      'operators of a version that is gone',
      withOpset(1),
      /uses the operator Relu in a version or with a type .*another opset/,
    ],
    ['weights in a file of the machine', reaching, /keeps its weights in other files \("\.\.\/\.\.\/etc\/passwd"\)/],
  ])('%s is refused', async (what, model, says) => {
    const refused = inspect(written(`${what}.onnx`, model()), 'mine');
    await expect(refused).rejects.toMatchObject({ blame: 'user', message: expect.stringMatching(says) });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('\u001b') });
  });

  it.skipIf(process.platform !== 'linux')(
    'gives way to the app when memory runs out while a model is loaded',
    async () => {
      const pipe = path.join(folder, 'slow.onnx');
      execFileSync('mkfifo', [pipe]);
      const child = startChild(process.execPath, [ENTRY, pipe], { env: {}, timeLimit: 60 });
      // Open as soon as the inspector begins to read the model.
      const model = await open(pipe, 'w');
      expect(readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8').trim()).toBe('1000');
      await model.close();
      expect(await child.ended).toMatchObject({ code: 2 });
    },
  );
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
    expect(result.failure).toEqual({
      blame: 'user',
      message: 'There is no blob for the model file: put it back and start the job once more.',
    });
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
