import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import getPort from 'get-port';

const HEADER = 'the-secret-of-the-identity-endpoint';

/** Without OpenSSL there is no certificate, and Azurite takes tokens over https only. */
export const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    console.warn('Storage with an identity is not tested: there is no openssl to make a certificate with.');
    return false;
  }
})();

/** A token as Azurite with `--oauth basic` accepts it: it looks at audience, issuer and times, and at no signature. */
export function makeToken(lifetimeSeconds = 3600, aud = 'https://storage.azure.com'): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const tid = 'ab1f708d-50f6-404c-a006-d71b2ac7a606';
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, nbf: now - 60, exp: now + lifetimeSeconds };
  const claims = { aud, iss: `https://sts.windows.net/${tid}/`, oid: tid, tid, ...times };
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}

export interface IdentityStorage {
  /** Address of the account's blobs. */
  uri: string;
  /** File with the certificate that the server shows. */
  certificate: string;
  stop(): Promise<void>;
}

/** A certificate that nobody signed, for these names, such as `IP:127.0.0.1`; the files that hold it and its key. */
export function makeCertificate(folder: string, names: string): { certificate: string; key: string } {
  const [certificate, key] = [path.join(folder, 'certificate.pem'), path.join(folder, 'key.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=localhost', '-addext', `subjectAltName=${names}`, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  });
  return { certificate, key };
}

/** An Azurite over https that takes bearer tokens and verifies SAS URLs signed with user delegation keys. */
export async function startIdentityStorage(folder: string): Promise<IdentityStorage> {
  mkdirSync(folder, { recursive: true });
  const { certificate, key } = makeCertificate(folder, 'IP:127.0.0.1');
  const { startPart } = await import('../../dist/stack/part.js');
  const [blob, queue, table] = [await getPort(), await getPort(), await getPort()];
  const ports = ['--blobPort', String(blob), '--queuePort', String(queue), '--tablePort', String(table)];
  const azurite = await startPart({
    script: createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'),
    args: [
      ...ports,
      '--oauth',
      'basic',
      '--cert',
      certificate,
      '--key',
      key,
      '--location',
      folder,
      '--skipApiVersionCheck',
      '--disableTelemetry',
      '--silent',
    ],
    env: process.env,
    logFile: path.join(folder, 'azurite.log'),
    ready: /Table service is successfully listening/,
    title: 'Azurite',
  });
  return { uri: `https://127.0.0.1:${blob}/devstoreaccount1`, certificate, stop: azurite.stop };
}

export interface IdentityEndpoint {
  /** What App Service sets for an app with a managed identity. */
  settings: Record<string, string>;
  asked: () => number;
  stop(): void;
}

/** The endpoint that App Service gives an app with a managed identity, and Azure's login library asks for tokens. */
export async function startIdentityEndpoint(): Promise<IdentityEndpoint> {
  let asked = 0;
  const server = createServer((request, response) => {
    const known = request.headers['x-identity-header'] === HEADER;
    if (known) asked += 1;
    response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
    const expires = String(Math.floor(Date.now() / 1000) + 3600);
    const resource = new URL(request.url ?? '', 'http://localhost').searchParams.get('resource') ?? undefined;
    response.end(
      JSON.stringify({ access_token: makeToken(3600, resource), expires_on: expires, token_type: 'Bearer' }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    settings: { IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`, IDENTITY_HEADER: HEADER },
    asked: () => asked,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
