import { beforeAll, describe, expect, inject, it } from 'vitest';
import { EnginePool } from '../../../dist/scorer/engine/engine-pool.js';
import { completeCard } from '../../../src/model-card/complete-card.js';
import type { ModelCard } from '../../../src/model-card/schema.js';
import { createSharpCodec } from '../../../src/scorer/pictures/sharp-codec.js';
import { cardOf, ScorerJob, STARRY_NIGHT } from '../../support/scorer/harness.js';
import { paint } from '../../support/scorer/pictures.js';
import { tinyModel } from '../../support/scorer/tiny-model.js';

const codec = createSharpCodec();
const shape = ['b', 3, 'h', 'w'];
const tensor = (name: string) => ({ name, type: 'float32', shape });
const card = completeCard({}, { inputs: [tensor('x')], outputs: [tensor('y')] });
const order = { card, style: undefined, threads: 1, device: 'cpu' } as const;
const request = (width: number, height: number) => {
  const frame = paint(width, height);
  return { frame, original: { width, height } };
};

describe('a pool of engines', () => {
  it('gives a frame to the one that is free', async () => {
    const pool = new EnginePool();
    const blur = { kernel_shape: [61, 61], pads: [30, 30, 30, 30] };
    const model = new Uint8Array(tinyModel({ operator: 'AveragePool', attributes: blur, shape }));
    expect(await pool.load({ ...order, model }, { sessions: 2, gpus: 0 })).toBe('cpu, 2 sessions');
    const ended: string[] = [];
    const slow = pool.score([request(300, 200)]).then(() => ended.push('slow'));
    const quick = pool.score([request(4, 4)]).then(() => ended.push('quick'));
    await Promise.all([slow, quick]);
    await pool.close();
    expect(ended).toEqual(['quick', 'slow']);
    expect(pool.starved).toBe(2);
  });

  it('tells of what its threads run for another reason than to score, before it answers', async () => {
    const pool = new EnginePool();
    const model = new Uint8Array(tinyModel({ operator: 'Tanh', shape }));
    await pool.load({ ...order, model }, { sessions: 1, gpus: 0 });
    const heard: string[] = [];
    const hearing = { begun: () => heard.push('begun'), again: () => heard.push('again') };
    await pool.score([request(64, 48)], hearing).then(() => heard.push('answered'));
    await pool.close();
    expect(heard).toEqual(['begun', ...heard.slice(1, -1).map(() => 'again'), 'answered']);
    expect(heard.length).toBeGreaterThan(3);
  });

  it('says why a model does not load, and ends', async () => {
    const pool = new EnginePool();
    const model = new Uint8Array(Buffer.from('no model'));
    await expect(pool.load({ ...order, model }, { sessions: 2, gpus: 0 })).rejects.toThrow('no ONNX model');
    await pool.close();
  });
});

describe('a scorer with two sessions', () => {
  let starry: ModelCard;
  beforeAll(async () => {
    starry = await cardOf(STARRY_NIGHT);
  });

  it('gives what one session gives, and says how many there were', async () => {
    const names = Array.from({ length: 4 }, (_, index) => `${index}.png`);
    const frames = names.map(async (name, index) => [name, await codec.encode(paint(64, 48, index), 'png')] as const);
    const inputs = Object.fromEntries(await Promise.all(frames));
    const outputs = [];
    for (const sessions of ['1', '2']) {
      const job = await ScorerJob.create(inject('storage'), { model: STARRY_NIGHT, card: starry });
      await job.addInputs(inputs);
      const { result } = await job.score(names, { SCORER_SESSIONS: sessions, SCORER_DEVICE: 'cpu' });
      expect(result).toMatchObject({ outcome: 'completed', device: sessions === '1' ? 'cpu' : 'cpu, 2 sessions' });
      outputs.push(await Promise.all(names.map((name) => job.output(name))));
    }
    expect(outputs[1]).toEqual(outputs[0]);
  });
});
