import { describe, expect, it } from 'vitest';
import { FunctionRegistry } from '../../../src/app/function-registry.js';
import '../../support/app-in-process.js';

const { app, input, output } = await import('@azure/functions');
const df = await import('durable-functions');

const registered = (name: string, ...types: string[]) => {
  const registry = new FunctionRegistry();
  const bindings = types.map((type) => [
    type,
    { type, name: type, direction: type.endsWith('Trigger') ? 'in' : 'out' } as const,
  ]);
  registry.add({ name, bindings: Object.fromEntries(bindings) });
  return registry;
};

const handler = () => ({});
const connection = 'C';
const http = (options: object) => app.http('f', { handler, ...options });

describe('a function is refused by name', () => {
  it('when it is one of durable-functions 4', () => {
    const trigger = { type: 'orchestrationTrigger', name: 't', direction: 'in', durableRequiresGrpc: true } as const;
    expect(() => new FunctionRegistry().add({ name: 'next', bindings: { trigger } })).toThrow(
      /'next'.*durable-functions 4/,
    );
  });

  it.each([
    ['eventGridTrigger', () => app.eventGrid('f', { handler })],
    ['eventHubTrigger', () => app.eventHub('f', { connection, eventHubName: 'h', handler })],
    ['serviceBusTrigger', () => app.serviceBusQueue('f', { connection, queueName: 'q', handler })],
    [
      'serviceBusTrigger',
      () => app.serviceBusTopic('f', { connection, topicName: 't', subscriptionName: 's', handler }),
    ],
    ['cosmosDBTrigger', () => app.cosmosDB('f', { connection, databaseName: 'd', containerName: 'c', handler })],
    ['sqlTrigger', () => app.sql('f', { tableName: 't', connectionStringSetting: 'C', handler })],
    ['mysqlTrigger', () => app.mySql('f', { tableName: 't', connectionStringSetting: 'C', handler })],
    [
      'webPubSubTrigger',
      () => app.webPubSub('f', { name: 'w', connection, hub: 'h', eventType: 'user', eventName: 'e', handler }),
    ],
    ['mcpToolTrigger', () => app.mcpTool('f', { toolName: 't', description: 'd', toolProperties: [], handler })],
    ['warmupTrigger', () => app.warmup('f', { handler })],
    ['kafkaTrigger', () => app.generic('f', { trigger: { type: 'kafkaTrigger', name: 'k' }, handler })],
    ['rabbitMQTrigger', () => app.generic('f', { trigger: { type: 'rabbitMQ', name: 'r' }, handler })],
    ['entityTrigger', () => df.app.entity('f', () => undefined)],
  ])('for its %s', (type, register) => {
    expect(register).toThrow(new RegExp(`'f'.*trigger '${type}'.*not support`));
  });

  it.each([
    ['queue', () => http({ return: output.storageQueue({ connection, queueName: 'q' }) })],
    ['queue', () => http({ extraOutputs: [output.storageQueue({ connection, queueName: 'q' })] })],
    ['blob', () => http({ extraOutputs: [output.storageBlob({ connection, path: 'c/b' })] })],
    ['blob', () => http({ extraInputs: [input.storageBlob({ connection, path: 'c/b' })] })],
    ['table', () => http({ extraOutputs: [output.table({ connection, tableName: 't' })] })],
    ['table', () => http({ extraInputs: [input.table({ connection, tableName: 't' })] })],
    ['eventGrid', () => http({ extraOutputs: [output.eventGrid({ topicEndpointUri: 'u', topicKeySetting: 'K' })] })],
    ['eventHub', () => http({ extraOutputs: [output.eventHub({ connection, eventHubName: 'h' })] })],
    ['serviceBus', () => http({ extraOutputs: [output.serviceBusQueue({ connection, queueName: 'q' })] })],
    ['cosmosDB', () => http({ extraInputs: [input.cosmosDB({ connection, databaseName: 'd', containerName: 'c' })] })],
    [
      'sql',
      () => http({ extraInputs: [input.sql({ commandText: 's', commandType: 'Text', connectionStringSetting: 'C' })] }),
    ],
    ['signalRConnectionInfo', () => http({ extraInputs: [input.generic({ type: 'signalRConnectionInfo' })] })],
    ['sendGrid', () => http({ extraOutputs: [output.generic({ type: 'sendGrid' })] })],
    ['queue', () => app.timer('f', { schedule: '* * * * * *', return: output.generic({ type: 'queue' }), handler })],
  ])('for its binding %s', (type, register) => {
    expect(register).toThrow(new RegExp(`'f'.*binding '${type}'.*not support`));
  });

  it('for a blob that it wants to read by itself', () => {
    const register = () => app.storageBlob('f', { path: 'c/{name}', connection, sdkBinding: true, handler });
    expect(register).toThrow(/'f'.*sdkBinding.*not support.*whole blob/);
  });

  it('for its retries by the host', () => {
    const retry = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: 1000 } as const;
    const register = () => app.timer('f', { schedule: '0 * * * * *', retry, handler });
    expect(register).toThrow(/'f'.*retries.*not support/);
  });

  it('for having no trigger', () => {
    expect(() => registered('f', 'http')).toThrow(/'f'.*no trigger/);
  });
});

it('a function is found by trigger type and by its name in any case', () => {
  const registry = registered('Hello', 'activityTrigger');
  expect(registry.find('activityTrigger', 'hELLO')?.name).toBe('Hello');
  expect(registry.find('orchestrationTrigger', 'Hello')).toBeUndefined();
});
