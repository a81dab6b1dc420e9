import { describe, expect, inject, test } from 'vitest';
import { readConfig } from '../../../src/config.js';
import { readConnection } from '../../../src/storage/connection.js';

const KEY = 'c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA==';
const ON_AZURE = `DefaultEndpointsProtocol=https;AccountName=pictures;AccountKey=${KEY};EndpointSuffix=core.windows.net`;

describe('a connection to storage', () => {
  test('of Azurite is a connection string', () => {
    expect(readConnection({ MEDIA_STORAGE: inject('storage') }, 'MEDIA_STORAGE')).toBe(inject('storage'));
    const short = 'UseDevelopmentStorage=true';
    expect(readConnection({ MEDIA_STORAGE: short }, 'MEDIA_STORAGE')).toBe(short);
    const named = `AccountName=mine;AccountKey=${KEY};BlobEndpoint=http://127.0.0.1:10000/mine;`;
    expect(readConnection({ MEDIA_STORAGE: named }, 'MEDIA_STORAGE')).toBe(named);
  });

  test('on Azure is the account, with the identity that is to be used', () => {
    expect(readConnection({ A__accountName: 'pictures', A__clientId: 'me' }, 'A')).toEqual({
      blobServiceUri: 'https://pictures.blob.core.windows.net',
      clientId: 'me',
    });
    expect(readConnection({ A__blobServiceUri: 'https://pictures.blob.core.usgovcloudapi.net' }, 'A')).toEqual({
      blobServiceUri: 'https://pictures.blob.core.usgovcloudapi.net',
      clientId: undefined,
    });
  });

  test('with an account key is refused, and the sentence says what to do and not what the key is', () => {
    const read = () => readConnection({ MEDIA_STORAGE: ON_AZURE }, 'MEDIA_STORAGE');
    expect(read).toThrow(/for Azurite only.*MEDIA_STORAGE__blobServiceUri.*Storage Blob Data Contributor/);
    expect(read).not.toThrow(KEY);
  });

  test.each<[NodeJS.ProcessEnv, string]>([
    [{ A: 'UseDevelopmentStorage=true', A__accountName: 'x' }, 'A is set, and so is A__…'],
    [
      { A__blobServiceUri: 'http://pictures.blob.core.windows.net' },
      'The setting A__blobServiceUri must be as in https://',
    ],
    [{ A__blobServiceUri: 'pictures' }, 'The setting A__blobServiceUri must be as in https://'],
    [{ A__accountName: 'a b' }, 'The setting A__accountName must be the name of a storage account'],
  ])('%j is refused by name', (environment, sentence) => {
    expect(() => readConnection(environment, 'A')).toThrow(sentence);
  });
});

describe('the two accounts', () => {
  test('are the host’s own unless others are named', () => {
    const config = readConfig({
      AzureWebJobsStorage: 'UseDevelopmentStorage=true',
      MEDIA_STORAGE__accountName: 'mine',
    });
    expect(config.internalConnection).toBe('UseDevelopmentStorage=true');
    expect(config.mediaConnection).toMatchObject({ blobServiceUri: 'https://mine.blob.core.windows.net' });
  });

  test('may be named while the host keeps a key of its own', () => {
    const own = { MEDIA_STORAGE__accountName: 'mine', INTERNAL_STORAGE__accountName: 'internal' };
    expect(() => readConfig({ AzureWebJobsStorage: ON_AZURE, ...own })).not.toThrow();
    expect(() => readConfig({ AzureWebJobsStorage: ON_AZURE })).toThrow('for Azurite only');
  });

  test('that nobody named are asked for', () => {
    expect(() => readConfig({})).toThrow('The setting AzureWebJobsStorage__accountName is missing');
  });
});
