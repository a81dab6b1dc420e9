import { JobError } from '../../job/failure.js';
import { type AzureFault, readAzureFault, retryAfterOf } from './fault.js';

/** What an Azure error means for a job. */
export interface AzureVerdict {
  blame: 'user' | 'platform';
  /** One sentence with its numbers that says what to change, or that the app waits. */
  sentence: string;
  /** True when another region may do what this one refuses now. */
  elsewhere: boolean;
  /** Set when the service has done as much as it does in this time: only another one may do more. */
  throttled?: true;
}

/** The verdict on a fault; undefined when the rule does not apply. */
export type Rule = (fault: AzureFault) => AzureVerdict | undefined;

export const wait = (sentence: string): AzureVerdict => ({ blame: 'platform', sentence, elsewhere: false });
export const full = (sentence: string): AzureVerdict => ({ blame: 'platform', sentence, elsewhere: true });
export const change = (sentence: string): AzureVerdict => ({ blame: 'user', sentence, elsewhere: false });

/** What the errors of one Azure service mean, beyond what they mean everywhere in Azure. */
export interface ServiceErrors {
  /** By `error.code`; the name of an event counts as its code. */
  codes: Record<string, Rule>;
  /** For failures without a code. */
  byMessage?: Rule;
}

const notJson: Rule = ({ status }) =>
  wait(
    `Something between the app and Azure answered${status === undefined ? '' : ` with status ${status}`}, in a format that is not Azure's.`,
  );

const COMMON: Record<string, Rule> = {
  ServiceUnavailable: ({ message }) => full(`Azure has no room for the container now: ${message}`),
  InsufficientCapacity: ({ message }) => full(`Azure has no room for the container now: ${message}`),
  TooManyRequests: () => ({
    ...wait('Azure is throttling the app: the requests allowed in this time are used up.'),
    throttled: true,
  }),
  SubscriptionRequestsThrottled: () =>
    wait('Azure is throttling the subscription: the requests allowed in this time are used up.'),
  OperationNotAllowed: ({ message }) =>
    /quota/i.test(message)
      ? full(`A quota of Azure is used up: ${message}`)
      : change(`Azure does not allow this: ${message}`),
  AuthorizationFailed: ({ message }) =>
    change(`The app's identity may not do this; grant it the role that the message names: ${message}`),
  PARSE_ERROR: notJson,
};

const NETWORK = new Map([
  ['ENOTFOUND', 'its name could not be resolved'],
  ['EAI_AGAIN', 'its name could not be resolved'],
  ['ECONNREFUSED', 'it refused the connection'],
  ['ECONNRESET', 'the connection was cut'],
  ['EPIPE', 'the connection was cut'],
  ['ETIMEDOUT', 'it did not answer in time'],
  ['ENETUNREACH', 'there is no way to its network'],
  ['EHOSTUNREACH', 'there is no way to its network'],
  ['REQUEST_SEND_ERROR', 'the request could not be sent'],
]);

const ownFault: Rule = ({ name, message }) =>
  /^(Type|Range|Reference|Syntax)Error$/.test(name) ? change(`The app itself is at fault: ${message}`) : undefined;

const credential: Rule = ({ name, message, status = 0, code = '' }) => {
  if (!/Credential|Authentication/.test(name)) return undefined;
  if (status === 408 || status === 429 || status >= 500 || NETWORK.has(code))
    return wait('The service that logs the app in to Azure does not answer as it should now.');
  return change(
    `The app could not log in to Azure; give it a managed identity, or run "az login" on a developer's machine: ${firstSentences(message)}`,
  );
};

const LONGEST_LOGIN_TEXT = 200;

const firstSentences = (text: string) =>
  text.length <= LONGEST_LOGIN_TEXT ? text : text.slice(0, LONGEST_LOGIN_TEXT).replace(/(?<=\.)\s(?!.*\.\s).*$/s, '');

const network: Rule = ({ code, status, name }) => {
  if (name === 'AbortError') return wait('Azure was not reached: the request was given up.');
  const why = status === undefined && code !== undefined ? NETWORK.get(code) : undefined;
  return why === undefined ? undefined : wait(`Azure was not reached: ${why}.`);
};

function byStatus(fault: AzureFault, codes: Record<string, Rule>): AzureVerdict | undefined {
  const { status, message, code } = fault;
  if (status === undefined) return undefined;
  if (code === undefined && /^\s*</.test(message)) return notJson(fault);
  if (status === 401)
    return change('Azure did not accept the login of the app; check its identity and AZURE_TENANT_ID.');
  if (status === 403) return codes.AuthorizationFailed?.(fault);
  if (status === 429) return codes.TooManyRequests?.(fault);
  if (status === 408 || status === 409 || status >= 500)
    return wait(`Azure could not do it now (${code ?? 'no code'}, status ${status}): ${message}`);
  return change(`Azure refused it (${code ?? 'no code'}, status ${status}): ${message}`);
}

/**
 * Decides by `error.code` and message rather than by status: "no capacity" is a 409 and a used-up quota a 400. The app
 * waits out an error that nobody knows, since its patience has an end. Source of the codes: Azure's troubleshooting pages
 * and recorded traffic.
 */
export function classifyAzureFault(fault: AzureFault, service: ServiceErrors = { codes: {} }): AzureVerdict {
  const codes = { ...COMMON, ...service.codes };
  const code = (fault.code ?? '').replace(/\.$/, '');
  const known = Object.hasOwn(codes, code) ? codes[code]?.(fault) : undefined;
  return (
    known ??
    ownFault(fault) ??
    credential(fault) ??
    network(fault) ??
    service.byMessage?.(fault) ??
    byStatus(fault, codes) ??
    wait(`Azure failed without saying why: ${fault.message || 'no message'}`)
  );
}

/** What an activity throws for an error of an Azure SDK; a JobError stays as it is. */
export function azureJobError(error: unknown, service?: ServiceErrors): JobError {
  if (error instanceof JobError) return error;
  const { blame, sentence, elsewhere, throttled = false } = classifyAzureFault(readAzureFault(error), service);
  const noRoom = elsewhere || throttled;
  return new JobError(blame, sentence, { cause: error, retryAfterSeconds: retryAfterOf(error), noRoom });
}
