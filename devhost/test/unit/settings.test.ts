import { availableParallelism } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UserFault } from '../../src/log.js';
import { applySettings, readHostSettings } from '../../src/settings.js';
import { temporaryApp } from '../support/temporary-app.js';

const STORAGE = 'AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:9/a';
beforeEach(() => void vi.stubEnv('AzureWebJobsStorage', STORAGE));
afterEach(() => void vi.unstubAllEnvs());

const read = async (host: object | string, hub?: string) =>
  await readHostSettings(
    temporaryApp({ 'host.json': typeof host === 'string' ? host : { version: '2.0', ...host } }),
    hub,
  );
const durable = (durableTask: unknown) => ({ extensions: { durableTask } });
const queues = (given: unknown) => ({ extensions: { queues: given } });

describe('host.json', () => {
  it('has defaults for everything', async () => {
    const perHost = 10 * availableParallelism();
    expect(await read({})).toEqual({
      hubName: 'TestHubName',
      storage: STORAGE,
      routePrefix: 'api',
      maxActivities: perHost,
      maxOrchestrators: perHost,
      partitionCount: 4,
      maxQueuePollingInterval: 4000,
      queues: {
        messageEncoding: 'base64',
        batchSize: 16,
        newBatchThreshold: 8,
        visibilityTimeout: 0,
        maxDequeueCount: 5,
        maxPollingInterval: 2000,
        lease: 30_000,
      },
      blobs: { maxDegreeOfParallelism: 8 * availableParallelism(), poisonBlobThreshold: 5, pollInterval: 2000 },
      functionTimeout: { ms: 1_800_000, text: '00:30:00' },
    });
  });

  it('says how many control queues there are, and how seldom they are looked into', async () => {
    const provider = (storageProvider: object) => read({ extensions: { durableTask: { storageProvider } } });
    expect(await provider({ partitionCount: 9, maxQueuePollingInterval: '00:00:01' })).toMatchObject({
      partitionCount: 9,
      maxQueuePollingInterval: 1000,
    });
    expect(await provider({ maxQueuePollingInterval: '00:01:00' })).toMatchObject({ maxQueuePollingInterval: 4000 });
    await expect(provider({ partitionCount: 17 })).rejects.toThrow(/partitionCount.*17.*1 to 16/);
  });

  it('says how queues are read', async () => {
    const given = {
      messageEncoding: 'None',
      batchSize: 3,
      visibilityTimeout: '1.02:03:04',
      maxDequeueCount: 1,
      maxPollingInterval: '00:00:00.1500000',
    };
    expect((await read({ extensions: { queues: given } })).queues).toMatchObject({
      messageEncoding: 'none',
      batchSize: 3,
      newBatchThreshold: 1,
      visibilityTimeout: (26 * 3600 + 3 * 60 + 4) * 1000,
      maxDequeueCount: 1,
      maxPollingInterval: 150,
    });
    expect((await read({ extensions: { queues: { newBatchThreshold: 0 } } })).queues.newBatchThreshold).toBe(0);
  });

  it.each([
    ['00:00:15', 15_000],
    ['1.02:03:04', 93_784_000],
    ['-1', undefined],
  ])('limits the time of a function: %s', async (functionTimeout, ms) => {
    expect((await read({ functionTimeout })).functionTimeout?.ms).toBe(ms);
  });

  it.each(['15', '00:00:00', '00:60:00', '-2', ''])(
    'may not limit the time of a function to %j',
    async (functionTimeout) => {
      await expect(read({ functionTimeout })).rejects.toThrow(/functionTimeout in host\.json is .*time span/);
    },
  );

  it('limits how many activities and orchestrators run at the same time', async () => {
    const limits = { maxConcurrentActivityFunctions: 3, maxConcurrentOrchestratorFunctions: 4 };
    expect(await read(durable(limits))).toMatchObject({ maxActivities: 3, maxOrchestrators: 4 });
  });

  it('says how blobs are handed out', async () => {
    const given = { maxDegreeOfParallelism: 1, poisonBlobThreshold: 2 };
    expect((await read({ extensions: { blobs: given } })).blobs).toMatchObject(given);
  });

  it('may take the hub name from a setting', async () => {
    vi.stubEnv('HUB', 'FromSetting');
    expect(await read(durable({ hubName: '%HUB%' }))).toMatchObject({ hubName: 'FromSetting' });
  });

  it('names a hub that the command line may replace', async () => {
    expect(await read(durable({ hubName: '%NEVER_SET%' }), 'Other')).toMatchObject({ hubName: 'Other' });
  });

  it.each(['connectionName', 'connectionStringName'])('may name the setting of the storage: %s', async (name) => {
    vi.stubEnv('HUB_STORAGE', 'AccountName=of-the-hub');
    const storageProvider = { type: 'AzureStorage', [name]: 'HUB_STORAGE' };
    expect(await read(durable({ storageProvider }))).toMatchObject({ storage: 'AccountName=of-the-hub' });
  });
});

describe('settings', () => {
  const apply = async (local: object | string, storage?: string) =>
    await applySettings(temporaryApp({ 'local.settings.json': local }), storage);

  it('of local.settings.json reach the app, but the environment wins', async () => {
    vi.stubEnv('GREETING', undefined);
    await apply({ Values: { GREETING: 'hello', AzureWebJobsStorage: 'never used' } });
    expect([process.env['GREETING'], process.env['AzureWebJobsStorage']]).toEqual(['hello', STORAGE]);
  });

  it('may name the port', async () => {
    expect(await apply({ Host: { LocalHttpPort: 7080 } })).toEqual({ port: 7080 });
    expect(await apply({})).toEqual({ port: undefined });
  });

  it.each([
    ['a connection string', 'AccountName=given', 'AccountName=given'],
    ['the name of a setting', 'Other__Storage', 'AccountName=other'],
  ])('give way to --storage with %s, for the hub and the app alike', async (_, given, expected) => {
    vi.stubEnv('Other__Storage', undefined);
    await apply({ Values: { Other__Storage: 'AccountName=other' } }, given);
    expect(process.env['AzureWebJobsStorage']).toBe(expected);
    expect(await read({})).toMatchObject({ storage: expected });
  });

  it.each([
    ['a storage setting that is missing', {}, 'NEVER_SET', /--storage.*NEVER_SET.*not set/],
    [
      'settings that are encrypted',
      { IsEncrypted: true, Values: { A: 'x' } },
      undefined,
      /local\.settings\.json.*encrypted/,
    ],
    ['an app for another language', { Values: { FUNCTIONS_WORKER_RUNTIME: 'python' } }, undefined, /python.*Node/],
    ['a port that is none', { Host: { LocalHttpPort: 'many' } }, undefined, /LocalHttpPort.*"many"/],
    ['settings that are no object', [], undefined, /local\.settings\.json.*object/],
  ])('are refused: %s', async (_, local, storage, sentence) => {
    vi.stubEnv('FUNCTIONS_WORKER_RUNTIME', undefined);
    await expect(apply(local, storage)).rejects.toThrow(sentence);
  });
});

describe('the host refuses', () => {
  const refusal = async (host: object | string, hub?: string) => {
    const error: unknown = await read(host, hub).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserFault);
    return String(error);
  };

  it('a folder that is no app', async () => {
    await expect(readHostSettings(import.meta.dirname)).rejects.toThrow(/host\.json.*folder of a Functions app/);
  });

  it('a folder that does not exist', async () => {
    await expect(applySettings('/no/such/folder')).rejects.toThrow(/no folder \/no\/such\/folder/);
  });

  it('a missing storage, and says how to name one', async () => {
    vi.stubEnv('AzureWebJobsStorage', '');
    expect(await refusal({})).toMatch(/AzureWebJobsStorage is not set.*--storage/);
  });

  it('another storage provider, by name', async () => {
    expect(await refusal(durable({ storageProvider: { type: 'mssql' } }))).toMatch(/storage provider 'mssql'/);
  });

  it.each([
    ['no version', { version: undefined }, /version.*"2\.0"/],
    ['an old version', { version: '1.0' }, /version.*"1\.0".*"2\.0"/],
    ['a list as extensions', { extensions: [] }, /extensions in host\.json.*object/],
    ['text as durableTask', durable('Hub'), /extensions\.durableTask in host\.json.*object/],
    ['a number as hub name', durable({ hubName: 5 }), /hubName in host\.json.*text/],
    ['a number as route prefix', { extensions: { http: { routePrefix: 5 } } }, /routePrefix in host\.json.*text/],
    ['no object at all', '"host"', /host\.json.*object/],
    [
      'another encoding of messages',
      queues({ messageEncoding: 'utf8' }),
      /messageEncoding.*"utf8".*"base64" or "none"/,
    ],
    ['no messages at once', queues({ batchSize: 0 }), /batchSize.*0: it must be a whole number, 1 to 32/],
    ['too many messages at once', queues({ batchSize: 33 }), /batchSize.*33: it must be.*1 to 32/],
    ['a threshold below 0', queues({ newBatchThreshold: -1 }), /newBatchThreshold.*-1.*0 or more/],
    ['no try', queues({ maxDequeueCount: 0 }), /maxDequeueCount.*0.*1 or more/],
    ['a number as a time', queues({ visibilityTimeout: 30 }), /visibilityTimeout.*30: it must be a time span/],
    ['a time of 25 hours', queues({ visibilityTimeout: '25:00:00' }), /visibilityTimeout.*"25:00:00"/],
    ['a time beyond seven days', queues({ visibilityTimeout: '7.00:00:01' }), /visibilityTimeout.*7 days at most/],
    ['too short a pause', queues({ maxPollingInterval: '00:00:00.0990000' }), /maxPollingInterval.*100 ms or more/],
  ])('a host.json with %s', async (_, host, sentence) => {
    expect(await refusal(host)).toMatch(sentence);
  });

  it.each(['0', '-1', 'long', '3601'])('%s seconds as the lease of messages', async (seconds) => {
    vi.stubEnv('DEVHOST_QUEUE_LEASE_SECONDS', seconds);
    expect(await refusal({})).toMatch(/DEVHOST_QUEUE_LEASE_SECONDS.*number of seconds/);
  });

  it('a bad hub name of the command line', async () => {
    expect(await refusal({}, 'a-b')).toMatch(/'a-b' \(--hub\).*not valid/);
  });

  it('a host.json that is not JSON', async () => {
    expect(await refusal('{')).toMatch(/host\.json is not valid JSON/);
  });

  it('a bad hub name', async () => {
    expect(await refusal(durable({ hubName: '1-bad' }))).toMatch(/'1-bad'.*host\.json.*not valid/);
  });

  it('a hub name from a setting that is missing', async () => {
    expect(await refusal(durable({ hubName: '%NEVER_SET%' }))).toMatch(/NEVER_SET.*not set/);
  });

  it.each([0, -1, 1.5, 'many'])('%j as a limit', async (limit) => {
    expect(await refusal(durable({ maxConcurrentActivityFunctions: limit }))).toMatch(
      /maxConcurrentActivityFunctions.*whole number/,
    );
  });
});
