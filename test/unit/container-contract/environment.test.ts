import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../../src/container-contract/environment.js';
import { parseTask } from '../../../src/container-contract/task.js';

const complete = {
  TASK_BLOB: 'tasks/1.json',
  JOB_CONTAINER_URL: 'https://a.example/job?sig=secret',
  WORK_CONTAINER_URL: 'https://b.example/work?sig=secret',
  MODEL_URL: 'https://a.example/models/m.onnx?sig=secret',
};

describe('readEnvironment', () => {
  it('fills in what is optional', () => {
    expect(readEnvironment({ ...complete, STYLE_URL: '', PATH: '/bin' })).toEqual({
      taskBlob: 'tasks/1.json',
      jobContainerUrl: complete.JOB_CONTAINER_URL,
      workContainerUrl: complete.WORK_CONTAINER_URL,
      modelUrl: complete.MODEL_URL,
      styleUrl: undefined,
      threads: undefined,
      sessions: undefined,
      visibleGpus: undefined,
      codec: 'auto',
      device: 'auto',
    });
  });

  it('goes without a trace where it is told of none, or of rubbish', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(readEnvironment({ ...complete, TRACEPARENT: traceparent }).traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
    expect(readEnvironment({ ...complete, TRACEPARENT: 'rubbish' }).traceId).toBeUndefined();
    expect(readEnvironment(complete).traceId).toBeUndefined();
  });

  it('takes what is given', () => {
    expect(
      readEnvironment({ ...complete, SCORER_THREADS: '3', SCORER_SESSIONS: '2', SCORER_CODEC: 'jimp' }),
    ).toMatchObject({
      threads: 3,
      sessions: 2,
      codec: 'jimp',
    });
  });

  it.each([
    ['TASK_BLOB', ''],
    ['JOB_CONTAINER_URL', 'secret'],
    ['WORK_CONTAINER_URL', undefined],
    ['MODEL_URL', 'ftp://secret/x'],
    ['STYLE_URL', 'secret'],
    ['SCORER_THREADS', 'secret'],
    ['SCORER_THREADS', '0'],
    ['SCORER_SESSIONS', '0'],
    ['SCORER_CODEC', 'secret'],
  ])('names %s when it is "%s", and never its value', (name, value) => {
    let message = '';
    try {
      readEnvironment({ ...complete, [name]: value });
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain(name);
    expect(message).not.toContain('secret');
  });
});

describe('parseTask', () => {
  it.each([
    ['{', 'not valid JSON'],
    ['{}', 'different versions'],
  ])('refuses %s', (text, says) => {
    expect(() => parseTask(Buffer.from(text))).toThrow(says);
  });
});
