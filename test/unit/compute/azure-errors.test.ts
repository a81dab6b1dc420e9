import { describe, expect, test } from 'vitest';
import { ACI_ERRORS } from '../../../src/compute/aci/codes.js';
import { readAzureFault } from '../../../src/compute/azure/fault.js';
import { azureJobError, classifyAzureFault } from '../../../src/compute/azure/verdict.js';
import { JobError } from '../../../src/job/failure.js';
import { failureOf } from '../../../src/activities/return-failure.js';

/** An error as the SDK throws it for an answer with this status and body. */
const answer = (status: number, code: string, message: string, more: object = {}) =>
  Object.assign(new Error(message), {
    name: 'RestError',
    code,
    statusCode: status,
    details: { error: { code, message, ...more } },
  });
const classify = (error: unknown) => classifyAzureFault(readAzureFault(error), ACI_ERRORS);

const QUOTA = (what: string, limit: number, usage: number, requested: number) =>
  `Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '${what}' exceeded in region 'westus2'. ` +
  `Limit: '${limit}', Usage: '${usage}' Requested: '${requested}'.`;
const NO_ROOM =
  "The requested resource is not available in the location 'uksouth' at this moment. Please retry with a different resource request or in another location. Resource requested: '1' CPU '2' GB memory 'Linux' OS virtual network";

describe('what Azure answers', () => {
  test.each([
    [
      400,
      'ContainerGroupQuotaReached',
      QUOTA('StandardCores', 10, 10, 1),
      'platform',
      true,
      'limit 10, in use 10, asked for 1',
    ],
    [
      400,
      'ContainerGroupQuotaReached',
      QUOTA('ContainerGroups', 100, 100, 1),
      'platform',
      true,
      'ContainerGroups of westus2 is used up',
    ],
    [
      400,
      'ContainerGroupQuotaReached',
      QUOTA('StandardCores', 4, 0, 8),
      'user',
      false,
      'limit 4, in use 0, asked for 8',
    ],
    [
      400,
      'ContainerGroupQuotaReached',
      QUOTA('StandardSpotCores', 0, 0, 1),
      'user',
      false,
      'can never hold one container',
    ],
    [400, 'ContainerGroupQuotaReached', QUOTA('P100Cores', 0, 0, 1), 'user', false, 'retired GPU on 2025-07-14'],
    [409, 'ServiceUnavailable', NO_ROOM, 'platform', true, 'no room for the container now'],
    [409, 'ServiceUnavailable', QUOTA('ContainerGroups', 0, 0, 1), 'platform', false, 'in several regions at once'],
    [
      409,
      'RegistryErrorResponse',
      "An error response is received from the docker registry 'index.docker.io'. Please retry later.",
      'platform',
      false,
      'Docker Hub',
    ],
    [
      400,
      'InaccessibleImage',
      "The image 'x' in container group 'y' is not accessible. Please check the image and registry credential.",
      'user',
      false,
      'AcrPull',
    ],
    [400, 'InvalidImageRegistryIdentity', 'no', 'user', false, 'ACI_IDENTITY_ID'],
    [400, 'OsVersionNotSupported', 'no', 'user', false, 'linux/amd64'],
    [400, 'ContainerLimitGreaterThanContainerGroupTotalRequest', 'no', 'user', false, 'ACI_CPU and ACI_MEMORY_GB'],
    [400, 'ConfidentialContainerGroupSkuIsNotSupported', 'no', 'user', false, 'ACI_REGIONS'],
    [
      409,
      'ContainerGroupTransitioning',
      "The container group 'x' is still transitioning, please retry later.",
      'platform',
      false,
      'still changing',
    ],
    [403, 'LinkedAuthorizationFailed', 'no', 'user', false, 'grant it the role'],
    [403, 'AuthorizationFailed', 'no', 'user', false, 'Contributor'],
    [403, 'SomethingElse', 'no', 'user', false, 'Contributor'],
    [401, 'InvalidAuthenticationToken', 'no', 'user', false, 'did not accept the login'],
    [404, 'ResourceGroupNotFound', 'no', 'user', false, 'ACI_RESOURCE_GROUP'],
    [404, 'SubscriptionNotFound', 'no', 'user', false, 'AZURE_SUBSCRIPTION_ID'],
    [409, 'MissingSubscriptionRegistration', 'no', 'user', false, 'az provider register'],
    [400, 'LocationNotAvailableForResourceType', 'no', 'user', false, 'ACI_REGIONS'],
    [409, 'InvalidResourceLocation', 'no', 'platform', false, 'another region'],
    [429, 'TooManyRequests', 'no', 'platform', false, 'throttling'],
    [429, 'Unheard', 'no', 'platform', false, 'throttling'],
    [409, 'Unheard', 'no', 'platform', false, 'Unheard, status 409'],
    [500, 'InternalServerError', 'no', 'platform', false, 'status 500'],
    [503, 'Unheard', 'no', 'platform', false, 'status 503'],
    [400, 'InvalidRequestContent', 'bad cpu', 'user', false, 'InvalidRequestContent, status 400'],
  ])('%i %s: %s', (status, code, message, blame, elsewhere, part) => {
    const verdict = classify(answer(status, code, message));
    expect(verdict).toMatchObject({ blame, elsewhere });
    expect(verdict.sentence).toContain(part);
    expect(verdict.sentence).not.toContain('\n');
  });

  test('a wrapper is opened: the error inside decides', () => {
    const wrapped = answer(409, 'ResourceOperationFailure', "terminal provisioning state 'Failed'", {
      details: [{ code: 'InaccessibleImage', message: 'The image is not accessible.' }],
    });
    expect(classify(wrapped).blame).toBe('user');
  });
});

describe('failures without a code', () => {
  test.each([
    [`The long-running operation has failed. Failed. ${NO_ROOM}`, 'platform', true],
    ['The long-running operation has failed. Failed. The image x is not accessible.', 'user', false],
    [
      "The long-running operation has failed. An error response is received from the docker registry 'x'.",
      'platform',
      false,
    ],
    [`The long-running operation has failed. ${QUOTA('StandardCores', 10, 10, 1)}`, 'platform', true],
    ['The container group x is still transitioning, please retry later.', 'platform', false],
    ['The long-running operation has failed. Failed.', 'platform', false],
  ])('%s', (message, blame, elsewhere) => {
    expect(classify(new Error(message))).toMatchObject({ blame, elsewhere });
  });

  test('the event InsufficientCapacity has a dot behind its name', () => {
    const fault = { code: 'InsufficientCapacity.', status: undefined, message: NO_ROOM, name: '' };
    expect(classifyAzureFault(fault, ACI_ERRORS)).toMatchObject({ blame: 'platform', elsewhere: true });
  });
});

describe('no answer, or none of Azure', () => {
  test.each([
    ['ENOTFOUND', 'its name could not be resolved'],
    ['EAI_AGAIN', 'its name could not be resolved'],
    ['ECONNREFUSED', 'it refused the connection'],
    ['ECONNRESET', 'the connection was cut'],
    ['EPIPE', 'the connection was cut'],
    ['ETIMEDOUT', 'it did not answer in time'],
    ['EHOSTUNREACH', 'no way to its network'],
    ['ENETUNREACH', 'no way to its network'],
    ['REQUEST_SEND_ERROR', 'could not be sent'],
  ])('%s is waited out', (code, part) => {
    const verdict = classify(Object.assign(new Error('socket'), { name: 'RestError', code }));
    expect(verdict.blame).toBe('platform');
    expect(verdict.sentence.replace('there is ', '')).toContain(part);
  });

  test('the cause knows which connection error it was', () => {
    const cause = Object.assign(new Error('x'), { code: 'ENOTFOUND' });
    const sent = Object.assign(new Error('y', { cause }), { name: 'RestError', code: 'REQUEST_SEND_ERROR' });
    expect(classify(sent).sentence).toContain('could not be resolved');
  });

  test('an aborted request is waited out', () => {
    expect(classify(Object.assign(new Error('aborted'), { name: 'AbortError' })).blame).toBe('platform');
  });

  test('a body that is no JSON is waited out, whatever its status', () => {
    const proxy = Object.assign(new Error('Unexpected token <'), {
      name: 'RestError',
      code: 'PARSE_ERROR',
      statusCode: 502,
    });
    expect(classify(proxy)).toMatchObject({ blame: 'platform' });
    expect(classify(proxy).sentence).toContain('502');
    const html = Object.assign(new Error('<html>blocked</html>'), { name: 'RestError', statusCode: 400 });
    expect(classify(html).blame).toBe('platform');
  });

  test.each<[string, object]>([
    ['is throttled', { statusCode: 429 }],
    ['fails', { statusCode: 503 }],
    ['cannot be reached', { code: 'ECONNRESET' }],
  ])('a login whose service %s is waited for', (_, more) => {
    const error = Object.assign(new Error('the token endpoint'), { name: 'AuthenticationError', ...more });
    expect(classify(error).blame).toBe('platform');
  });

  test.each(['CredentialUnavailableError', 'AggregateAuthenticationError', 'AuthenticationRequiredError'])(
    '%s: the user must give the app a login',
    (name) => {
      const verdict = classify(Object.assign(new Error('no token'), { name }));
      expect(verdict.blame).toBe('user');
      expect(verdict.sentence).toContain('az login');
    },
  );

  test('a login that fails with a long text is told in whole sentences', () => {
    const text =
      'No login works. The first one has no secret. To troubleshoot, visit https://aka.ms/azsdk/js/identity/';
    const error = Object.assign(new Error(text + 'x'.repeat(200)), { name: 'CredentialUnavailableError' });
    expect(classify(error).sentence).toMatch(/: No login works\. The first one has no secret\.$/);
  });

  test.each([undefined, null, '', 'boom', 42, {}])('%j is waited out, since nobody knows it', (thrown) => {
    expect(classify(thrown).blame).toBe('platform');
  });
});

describe('the error that an activity throws', () => {
  test('keeps its cause, and a JobError is passed on', () => {
    const cause = answer(400, 'InaccessibleImage', 'x');
    expect(azureJobError(cause, ACI_ERRORS)).toMatchObject({ blame: 'user', cause });
    const own = new JobError('user', 'mine');
    expect(azureJobError(own)).toBe(own);
  });

  test('a mistake in our own code fails at once', () => {
    expect(azureJobError(new TypeError('x is not a function')).blame).toBe('user');
  });

  test('never holds the signature of a SAS', () => {
    const leaked = answer(400, 'InvalidRequestContent', 'bad https://a.blob/c?sv=1&sig=abc%2Fdef&se=2');
    expect(azureJobError(leaked).message).toMatch(/sv=1&\[hidden\]&se=2/);
    expect(azureJobError(leaked).message).not.toMatch(/abc|sig=/);
  });
});

describe('how long Azure asks to be left alone', () => {
  const throttled = (seconds: string) =>
    Object.assign(answer(429, 'TooManyRequests', 'slow down'), {
      response: { headers: new Headers({ 'Retry-After': seconds }) },
    });

  test('goes with the failure, an hour at most', () => {
    expect(failureOf(azureJobError(throttled('17')), () => false)).toMatchObject({ retryAfterSeconds: 17 });
    expect(failureOf(azureJobError(throttled('90000')), () => false)).toMatchObject({ retryAfterSeconds: 3600 });
    expect(failureOf(throttled('17'), () => true)).toMatchObject({ blame: 'platform', retryAfterSeconds: 17 });
  });

  test.each(['', '-1', 'Wed, 21 Oct 2026 07:28:00 GMT'])('is nothing when the header says "%s"', (text) => {
    expect(failureOf(azureJobError(throttled(text)), () => false)).not.toHaveProperty('retryAfterSeconds');
  });
});
