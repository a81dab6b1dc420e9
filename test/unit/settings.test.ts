import os from 'node:os';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readConfig } from '../../src/config.js';
import { JobError } from '../../src/job/failure.js';
import { readSettings } from '../../src/settings.js';

const schema = z.object({
  NAME: z.string(),
  COUNT: z.coerce.number('must be a number').max(3, 'must be at most 3').default(2),
});

describe('reading settings', () => {
  test('gives what is set, and the default for what is not', () => {
    expect(readSettings(schema, { NAME: 'a', OTHER: 'x' })).toEqual({ NAME: 'a', COUNT: 2 });
    expect(readSettings(schema, { NAME: 'a', COUNT: '3' })).toEqual({ NAME: 'a', COUNT: 3 });
  });

  test('a setting that is set to nothing counts as not set', () => {
    expect(readSettings(schema, { NAME: 'a', COUNT: '' })).toEqual({ NAME: 'a', COUNT: 2 });
    expect(() => readSettings(schema, { NAME: '' })).toThrow('The setting NAME is missing.');
  });

  test('a wrong setting is named by one sentence of the user’s to act on, without its value', () => {
    const read = () => readSettings(schema, { NAME: 'a', COUNT: 's3cret' });
    expect(read).toThrow(JobError);
    expect(read).toThrow('The setting COUNT must be a number.');
    expect(read).not.toThrow('s3cret');
  });
});

describe('the app’s settings', () => {
  const STORAGE = { AzureWebJobsStorage: 'UseDevelopmentStorage=true' };
  const WITH_KEY = 'DefaultEndpointsProtocol=https;AccountName=host;AccountKey=a2V5;EndpointSuffix=core.windows.net';
  // prettier-ignore
  const NAMES = [
    'FFMPEG_PATH', 'FFPROBE_PATH', 'TEMP_FOLDER', 'STORAGE_FOLDER', 'CHUNK_FRAMES', 'FFMPEG_SECONDS',
    'MOST_FRAMES', 'MEDIA_STORAGE', 'MEDIA_STORAGE__accountName', 'INTERNAL_STORAGE__blobServiceUri', 'AZURE_SUBSCRIPTION_ID',
    'ACI_RESOURCE_GROUP', 'ACI_IMAGE', 'MOST_RUNNING_JOBS', 'INBOX_SWEEP', 'ACI_CPU', 'CONTAINER_APPS_IMAGE', 'CONTAINER_APPS_CPU', 'HOME',
  ];

  test('are the same when every optional one is set to nothing as when none is set', () => {
    const nothing = Object.fromEntries(NAMES.map((name) => [name, '']));
    expect(readConfig({ ...STORAGE, ...nothing })).toEqual(readConfig(STORAGE));
  });

  test('leave computes out that nobody set up, and use the system’s temporary folder', () => {
    expect(readConfig(STORAGE)).toMatchObject({
      computes: { aci: undefined, containerApps: undefined },
      chunkFrames: undefined,
      tempFolder: os.tmpdir(),
    });
  });

  test('for the scorer reach every container, whatever the compute says of its place', async () => {
    const { scorerTuning } = readConfig({ ...STORAGE, SCORER_SESSIONS: '2', SCORER_CODEC: 'jimp', SCORER_THREADS: '' });
    expect(scorerTuning).toEqual({ SCORER_SESSIONS: '2', SCORER_CODEC: 'jimp' });
  });

  test('give child processes the choice of GPUs, also that of none, and no other variable', () => {
    const environment = { ...STORAGE, CUDA_VISIBLE_DEVICES: '', VK_DRIVER_FILES: '/icd.json', HOME: '', SECRET: 's' };
    expect(readConfig(environment).childEnvironment).toEqual({
      CUDA_VISIBLE_DEVICES: '',
      VK_DRIVER_FILES: '/icd.json',
    });
  });

  test('for new media limit what runs at once, and name the account of its queue', () => {
    expect(readConfig(STORAGE).inbox).toEqual({
      limits: { jobs: 20, items: 5_000_000, bytes: 500 * 1024 ** 3 },
      sweep: '0 */10 * * * *',
      waitHours: 24,
      connection: 'AzureWebJobsStorage',
    });
    const more = {
      MOST_RUNNING_JOBS: '3',
      MOST_RUNNING_ITEMS: '7',
      MOST_RUNNING_GIB: '0.5',
      INBOX_SWEEP: '*/2 * * * * *',
      INBOX_WAIT_HOURS: '1',
    };
    expect(readConfig({ ...STORAGE, ...more }).inbox).toEqual({
      limits: { jobs: 3, items: 7, bytes: 512 * 1024 ** 2 },
      sweep: '*/2 * * * * *',
      waitHours: 1,
      connection: 'AzureWebJobsStorage',
    });
  });

  test.each([
    [STORAGE, 'AzureWebJobsStorage'],
    [{ AzureWebJobsStorage__accountName: 'host' }, 'AzureWebJobsStorage'],
    [{ ...STORAGE, QUEUE_STORAGE__accountName: 'queues' }, 'QUEUE_STORAGE'],
    [{ ...STORAGE, INTERNAL_STORAGE__accountName: 'internal' }, 'AzureWebJobsStorage'],
    [
      { AzureWebJobsStorage: WITH_KEY, MEDIA_STORAGE__accountName: 'media', INTERNAL_STORAGE__accountName: 'internal' },
      'INTERNAL_STORAGE',
    ],
  ])('for new media take the queue of an account that both host and app may use: %j', (environment, name) => {
    expect(readConfig(environment).inbox.connection).toBe(name);
  });

  test('keep callers apart and limit their day where that is asked for', () => {
    expect(readConfig(STORAGE)).toMatchObject({
      callers: { authentication: 'keys', ownership: false, operators: [] },
      dailyLimits: { jobs: undefined, items: undefined, bytes: undefined },
    });
    const more = { OWNERSHIP: 'on', OPERATORS: 'key-1, user-2,', MOST_JOBS_PER_DAY: '5', MOST_GIB_PER_DAY: '0.5' };
    expect(readConfig({ ...STORAGE, ...more })).toMatchObject({
      callers: { ownership: true, operators: ['key-1', 'user-2'] },
      dailyLimits: { jobs: 5, bytes: 512 * 1024 ** 2 },
    });
  });

  test('let nobody in by Entra ID unless App Service says that it vouches for callers', () => {
    const entra = { ...STORAGE, AUTHENTICATION: 'entra' };
    expect(() => readConfig(entra)).toThrow(/AUTHENTICATION is "entra" and the authentication of App Service is off/);
    expect(() => readConfig({ ...entra, WEBSITE_AUTH_ENABLED: 'False' })).toThrow(/is off/);
    expect(readConfig({ ...entra, WEBSITE_AUTH_ENABLED: 'True' }).callers.authentication).toBe('entra');
    expect(() => readConfig({ ...STORAGE, AUTHENTICATION: 'none' })).toThrow(
      /AUTHENTICATION must be "keys" or "entra"/,
    );
  });

  test('say where the ends of jobs are told, and with which secrets', () => {
    expect(readConfig(STORAGE).notices).toEqual({ usual: [], topic: undefined, secrets: {} });
    const topic = 'https://jobs.westeurope-1.eventgrid.azure.net/api/events';
    const more = {
      NOTIFY: '[{"queue":"jobs-done"}]',
      EVENT_GRID_TOPIC: topic,
      WEBHOOK_SECRET_MAIN: 's',
      WEBHOOK_SECRET_NO: '',
    };
    expect(readConfig({ ...STORAGE, ...more }).notices).toEqual({
      usual: [{ queue: 'jobs-done' }],
      topic,
      secrets: { MAIN: 's' },
    });
  });

  test.each([
    [{ NOTIFY: 'jobs-done' }, 'The setting NOTIFY must be JSON, as in [{"queue": "jobs-done"}].'],
    [{ NOTIFY: '[{"queue":"Done"}]' }, /^The setting NOTIFY must be the name of a queue/],
    [
      { EVENT_GRID_TOPIC: 'http://x' },
      'The setting EVENT_GRID_TOPIC must be the https endpoint of an Event Grid topic.',
    ],
    [{ MOST_RUNNING_JOBS: '0' }, 'The setting MOST_RUNNING_JOBS must be a whole number from 1 to 1000.'],
    [{ MOST_RUNNING_ITEMS: 'all' }, 'The setting MOST_RUNNING_ITEMS must be a whole number from 1 to 1000000000.'],
    [{ MOST_RUNNING_GIB: '0' }, 'The setting MOST_RUNNING_GIB must be a number above 0.'],
    [{ INBOX_WAIT_HOURS: '0' }, 'The setting INBOX_WAIT_HOURS must be a whole number from 1 to 168.'],
    [{ CHUNK_FRAMES: 'many' }, 'The setting CHUNK_FRAMES must be a whole number from 1 to 1000000.'],
    [{ CHUNK_FRAMES: '0' }, 'The setting CHUNK_FRAMES must be a whole number from 1 to 1000000.'],
    [{ SCORER_SESSIONS: '0' }, 'The setting SCORER_SESSIONS must be a whole number from 1 to 64.'],
    [{ SCORER_CODEC: 'gimp' }, 'The setting SCORER_CODEC must be one of auto, sharp, jimp.'],
    [{ SCORER_DEVICE: 'cuda' }, /^The setting SCORER_DEVICE is not for the app; .*compute\.device/],
    [{ MOST_FRAMES: '1.5' }, 'The setting MOST_FRAMES must be a whole number.'],
    [{ ACI_IMAGE: 'scorer' }, /^The setting AZURE_SUBSCRIPTION_ID is missing\.$/],
    [{ CONTAINER_APPS_IMAGE: 'scorer' }, /^The setting CONTAINER_APPS_ENVIRONMENT_ID is missing\.$/],
  ])('%j are refused by name', (more, sentence) => {
    expect(() => readConfig({ ...STORAGE, ...more })).toThrow(sentence);
  });
});
