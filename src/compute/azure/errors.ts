import { type AzureVerdict, change, CODES, notJson, quota, type Rule, wait } from './codes.js';
import { type AzureFault, readAzureFault, retryAfterOf } from './fault.js';
import { JobError } from '../../job/failure.js';

export { type AzureVerdict, GPU_RETIRED } from './codes.js';

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

const credential: Rule = ({ name, message }) =>
  /Credential|Authentication/.test(name)
    ? change(
        `The app could not log in to Azure; give it a managed identity, or run "az login" on a developer's machine: ${message.slice(0, 200)}`,
      )
    : undefined;

const network: Rule = ({ code, status, name }) => {
  if (name === 'AbortError') return wait('Azure was not reached: the request was given up.');
  const why = status === undefined && code !== undefined ? NETWORK.get(code) : undefined;
  return why === undefined ? undefined : wait(`Azure was not reached: ${why}.`);
};

/** Failures without a code: a long-running operation's (SDK 9.1.0 drops it) and a group's events. */
const byMessage: Rule = ({ message }) => {
  if (/not available in the location|InsufficientCapacity/i.test(message))
    return CODES.InsufficientCapacity?.({ ...NO_FAULT, message });
  if (/is not accessible|failed to pull|pull access denied|manifest unknown/i.test(message))
    return CODES.InaccessibleImage?.({ ...NO_FAULT, message });
  if (/docker registry/i.test(message)) return CODES.RegistryErrorResponse?.({ ...NO_FAULT, message });
  if (/still transitioning/i.test(message)) return CODES.ContainerGroupTransitioning?.({ ...NO_FAULT, message });
  return quota({ ...NO_FAULT, message });
};

const NO_FAULT: AzureFault = { code: undefined, status: undefined, message: '', name: '' };

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
 * Decides by `error.code` and message, not by status: "no capacity" is a 409 and a used-up quota a 400. An error that nobody
 * knows is waited out, since patience ends by itself. Source of the codes: Azure's troubleshooting pages and recorded traffic.
 * @param own codes that mean something else to the service that was asked.
 */
export function classifyAzureFault(fault: AzureFault, own: Record<string, Rule> = {}): AzureVerdict {
  const codes = { ...CODES, ...own };
  const code = (fault.code ?? '').replace(/\.$/, '');
  const known = Object.hasOwn(codes, code) ? codes[code]?.(fault) : undefined;
  return (
    known ??
    ownFault(fault) ??
    credential(fault) ??
    network(fault) ??
    byMessage(fault) ??
    byStatus(fault, codes) ??
    wait(`Azure failed without saying why: ${fault.message || 'no message'}`)
  );
}

/** The error that an activity throws for an error of an Azure SDK; `own` as in `classifyAzureFault`. */
export function azureJobError(error: unknown, own?: Record<string, Rule>): JobError {
  if (error instanceof JobError) return error;
  const { kind, sentence } = classifyAzureFault(readAzureFault(error), own);
  return new JobError(kind, sentence, { cause: error, retryAfterSeconds: retryAfterOf(error) });
}
