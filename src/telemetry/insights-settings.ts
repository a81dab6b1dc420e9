import { JobError } from '../job/failure.js';
import { type Environment, isSet } from '../settings.js';

export interface InsightsSettings {
  /** The instrumentation key: says to which resource a record belongs. */
  key: string;
  /** Base of the address that takes records, without a slash at its end. */
  endpoint: string;
  /** How to log in; undefined: the key is enough. */
  login?: InsightsLogin | undefined;
}

export interface InsightsLogin {
  /** Of a user-assigned identity; undefined: the system-assigned one. */
  clientId?: string | undefined;
  /** What a token is asked for. */
  scope: string;
}

const CONNECTION = 'APPLICATIONINSIGHTS_CONNECTION_STRING';
const AUTHENTICATION = 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DEFAULT_ENDPOINT = 'https://dc.services.visualstudio.com';
const DEFAULT_AUDIENCE = 'https://monitor.azure.com';

/**
 * Where Application Insights is and how to log in there, in Azure's own settings; undefined without a connection string.
 * @throws JobError `user` that says what is wrong with a setting, never what it is.
 */
export function readInsightsSettings(environment: Environment): InsightsSettings | undefined {
  if (!isSet(environment, CONNECTION)) return undefined;
  const connection = fieldsOf(environment[CONNECTION] ?? '');
  const { instrumentationkey: key = '', ingestionendpoint, endpointsuffix, location, aadaudience } = connection;
  if (!UUID.test(key)) throw wrong(CONNECTION, 'its InstrumentationKey is missing or no key');
  const prefix = location === undefined ? '' : `${location}.`;
  const endpoint = ingestionendpoint ?? (endpointsuffix ? `https://${prefix}dc.${endpointsuffix}` : DEFAULT_ENDPOINT);
  if (!isSafe(endpoint)) throw wrong(CONNECTION, 'its IngestionEndpoint must begin with https://');
  if (!isBare(endpoint)) throw wrong(CONNECTION, 'its IngestionEndpoint must hold no login and nothing after a path');
  const login = isSet(environment, AUTHENTICATION)
    ? readLogin(environment[AUTHENTICATION] ?? '', aadaudience ?? DEFAULT_AUDIENCE)
    : undefined;
  return { key, endpoint: withoutSlash(endpoint), login };
}

/** As Azure documents it: `Authorization=AAD`, with `ClientId=…` for a user-assigned identity. */
function readLogin(text: string, audience: string): InsightsLogin {
  const { authorization, clientid } = fieldsOf(text);
  if (authorization?.toUpperCase() !== 'AAD' || (clientid !== undefined && !UUID.test(clientid)))
    throw new JobError(
      'user',
      `The setting ${AUTHENTICATION} is wrong: it must be Authorization=AAD, or ClientId=…;Authorization=AAD with the client id of a user-assigned identity.`,
    );
  const base = withoutSlash(audience);
  return { clientId: clientid, scope: base.endsWith('/.default') ? base : `${base}/.default` };
}

/** `Name=value` pairs between semicolons; upper and lower case of a name are the same. */
function fieldsOf(text: string): Partial<Record<string, string>> {
  return Object.fromEntries(
    text.split(';').flatMap((field) => {
      const [, name, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/s.exec(field) ?? [];
      return name === undefined || value === undefined || value === '' ? [] : [[name.toLowerCase(), value]];
    }),
  );
}

/** Keys and tokens travel encrypted, unless they do not leave this machine. */
function isSafe(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { protocol, hostname } = new URL(endpoint);
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname));
}

/** The path of the service is put behind it. */
function isBare(endpoint: string): boolean {
  const { username, password, search, hash } = new URL(endpoint);
  return `${username}${password}${search}${hash}` === '';
}

const withoutSlash = (url: string) => url.replace(/\/+$/, '');

const wrong = (name: string, what: string) =>
  new JobError(
    'user',
    `The setting ${name} is wrong: ${what}. Copy it whole from the overview of the Application Insights resource.`,
  );
