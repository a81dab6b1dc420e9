import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MarkedHost } from '../support/marked-host.js';

const host = new MarkedHost();
beforeAll(async () => await host.start());
afterAll(async () => await host.dispose());

const post = async (path: string) => {
  const response = await host.client.call('POST', path);
  return [response.status, JSON.parse((await response.text()) || 'null')] as [number, unknown];
};

describe('rewind', () => {
  it('runs again what failed in a failed instance', async () => {
    const id = await host.client.start('parentOfFlaky', { key: 'rewound', failures: 1 });
    expect((await host.client.ends(id)).runtimeStatus).toBe('Failed');
    expect(await post(`instances/${id}/rewind?reason=mended`)).toEqual([202, null]);
    expect((await host.client.ends(id)).output).toBe('rewound after 2');
  });

  it('refuses any other instance with a sentence, as the real host does', async () => {
    const { instanceId } = await host.client.run('sequence', [1]);
    expect(await post(`instances/${instanceId}/rewind?reason=x`)).toEqual([
      412,
      'This orchestration has status Completed, but only orchestrations in the "Failed" state can be rewound.',
    ]);
    expect(await post('instances/nobody/rewind?reason=x')).toEqual([
      404,
      'No orchestration with instance ID "$nobody" found.',
    ]);
  });
});

describe('restart', () => {
  it('starts a new instance with the name and input of another, or that one anew', async () => {
    const { instanceId } = await host.client.run('sequence', [{ a: 1 }]);
    const [status, body] = await post(`instances/${instanceId}/restart`);
    const { id } = body as { id: string };
    expect([status, id === instanceId]).toEqual([202, false]);
    expect(await host.client.ends(id)).toMatchObject({ name: 'sequence', output: [{ a: 1 }] });
    const [, same] = await post(`instances/${instanceId}/restart?restartWithNewInstanceId=false`);
    expect(same).toMatchObject({ id: instanceId });
    expect((await host.client.ends(instanceId)).output).toEqual([{ a: 1 }]);
  });

  it('answers 400 for an instance that nobody has started', async () => {
    expect(await post('instances/nobody/restart')).toMatchObject([
      400,
      { ExceptionMessage: "No instance with ID 'nobody' was found. (Parameter 'instanceId')" },
    ]);
  });
});
