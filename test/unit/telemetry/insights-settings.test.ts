import { describe, expect, test } from 'vitest';
import { readInsightsSettings } from '../../../src/telemetry/insights-settings.js';

const KEY = '0aef5a4c-1111-2222-3333-c0ffee00beef';
const read = (connection: string, authentication?: string) =>
  readInsightsSettings({
    APPLICATIONINSIGHTS_CONNECTION_STRING: connection,
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: authentication,
  });

describe('a connection string', () => {
  test.each([undefined, ''])('that is not set (%j) means that there is no Application Insights', (connection) => {
    const settings = {
      APPLICATIONINSIGHTS_CONNECTION_STRING: connection,
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD',
    };
    expect(readInsightsSettings(settings)).toBeUndefined();
  });

  test.each([
    [`InstrumentationKey=${KEY}`, 'https://dc.services.visualstudio.com'],
    [
      `instrumentationkey = ${KEY} ; IngestionEndpoint=https://x.in.applicationinsights.azure.com/;`,
      'https://x.in.applicationinsights.azure.com',
    ],
    [`InstrumentationKey=${KEY};IngestionEndpoint=https://proxy.example/path//`, 'https://proxy.example/path'],
    [`InstrumentationKey=${KEY};EndpointSuffix=applicationinsights.us`, 'https://dc.applicationinsights.us'],
    [
      `InstrumentationKey=${KEY};EndpointSuffix=applicationinsights.us;Location=west`,
      'https://west.dc.applicationinsights.us',
    ],
    [`InstrumentationKey=${KEY};IngestionEndpoint=http://127.0.0.1:1234/`, 'http://127.0.0.1:1234'],
    [`InstrumentationKey=${KEY};IngestionEndpoint=http://localhost:1234;ApplicationId=x`, 'http://localhost:1234'],
  ])('says where to send: %s', (connection, endpoint) => {
    expect(read(connection)).toEqual({ key: KEY, endpoint });
  });

  test.each([
    ['nonsense', 'InstrumentationKey'],
    [KEY, 'InstrumentationKey'],
    ['InstrumentationKey=;IngestionEndpoint=https://x.example', 'InstrumentationKey'],
    ['InstrumentationKey=secret-123', 'InstrumentationKey'],
    ['@Microsoft.KeyVault(SecretUri=https://secret.vault.azure.net)', 'InstrumentationKey'],
    [`InstrumentationKey=${KEY};IngestionEndpoint=secret`, 'IngestionEndpoint must begin with https://'],
    [
      `InstrumentationKey=${KEY};IngestionEndpoint=http://secret.example/`,
      'IngestionEndpoint must begin with https://',
    ],
    [`InstrumentationKey=${KEY};IngestionEndpoint=https://me:secret@x.example`, 'IngestionEndpoint must hold no login'],
    [`InstrumentationKey=${KEY};IngestionEndpoint=https://x.example/?secret`, 'IngestionEndpoint must hold no login'],
    [`InstrumentationKey=${KEY};IngestionEndpoint=https://x.example/#secret`, 'IngestionEndpoint must hold no login'],
    [`InstrumentationKey=${KEY};IngestionEndpoint=file:///secret`, 'IngestionEndpoint must begin with https://'],
  ])('that is wrong is refused in one sentence that does not repeat it: %s', (connection, what) => {
    expect.assertions(2);
    try {
      read(connection);
    } catch (error) {
      const said = String(error);
      expect(said).toContain(`The setting APPLICATIONINSIGHTS_CONNECTION_STRING is wrong: its ${what}`);
      expect(said).not.toMatch(/secret|c0ffee|nonsense/);
    }
  });
});

describe('an authentication string', () => {
  const connection = `InstrumentationKey=${KEY}`;
  const scope = 'https://monitor.azure.com/.default';

  test.each([
    ['Authorization=AAD', { clientId: undefined, scope }],
    [`ClientId=${KEY};Authorization=AAD`, { clientId: KEY, scope }],
    [`authorization=aad; clientid=${KEY};`, { clientId: KEY, scope }],
  ])('says who logs in: %s', (authentication, login) => {
    expect(read(connection, authentication)?.login).toEqual(login);
  });

  test.each(['https://monitor.azure.us', 'https://monitor.azure.us/', 'https://monitor.azure.us//.default'])(
    'asks for a token of the cloud that the connection string names (%s)',
    (audience) => {
      const login = read(`${connection};AadAudience=${audience}`, 'Authorization=AAD')?.login;
      expect(login?.scope).toMatch(/^https:\/\/monitor\.azure\.us\/+\.default$/);
    },
  );

  test.each(['AAD', 'Authorization=Key', 'ClientId=secret;Authorization=AAD', 'ClientId=secret'])(
    'that is wrong is refused in one sentence that does not repeat it: %s',
    (authentication) => {
      expect(() => read(connection, authentication)).toThrow(
        /^The setting APPLICATIONINSIGHTS_AUTHENTICATION_STRING is wrong: it must be Authorization=AAD, or (?!.*secret)/,
      );
    },
  );
});
