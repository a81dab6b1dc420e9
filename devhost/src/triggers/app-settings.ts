import { UserFault } from '../log.js';
import type { AppFunction } from '../app/function-registry.js';

/**
 * A text of a function's trigger, with each `%NAME%` replaced by the setting of that name, as the Functions host does.
 * @throws UserFault when the text is missing or a setting is not there.
 */
export function textOf({ name, trigger }: AppFunction, option: string): string {
  const text = trigger[option];
  if (typeof text !== 'string' || text === '')
    throw new UserFault(`Function '${name}' has a ${trigger.type} without a ${option}.`);
  return text.replaceAll(/%([^%]+)%/g, (_, setting: string) => {
    const value = process.env[setting];
    if (!value)
      throw new UserFault(`Function '${name}' takes its ${option} from the setting ${setting}, which is not set.`);
    return value;
  });
}

const DEFAULT_CONNECTION = 'Storage';

/**
 * The connection string that a trigger's `connection` names: by the setting `AzureWebJobs<connection>`, else `<connection>`, as the
 * Functions host looks them up. Without `connection` it is AzureWebJobsStorage.
 * @throws UserFault when there is none, or settings of an identity instead.
 */
export function connectionOf({ name, trigger }: AppFunction): string {
  const connection = typeof trigger['connection'] === 'string' ? trigger['connection'] : '';
  const settings = [`AzureWebJobs${connection || DEFAULT_CONNECTION}`, connection];
  const value = settings.map((setting) => process.env[setting]).find((each) => each);
  if (value) return value;
  const setting = connection || settings[0];
  const identity = Object.keys(process.env).find((each) => each.toLowerCase().startsWith(`${setting}__`.toLowerCase()));
  throw new UserFault(
    identity === undefined
      ? `Function '${name}' takes its connection from the setting ${setting}, which is not set: put a connection string into the environment or local.settings.json.`
      : `Function '${name}' takes its connection from ${identity}, a login with an identity: this host needs a connection string in ${setting}.`,
  );
}
