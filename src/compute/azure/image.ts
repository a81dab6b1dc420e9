import { JobError, messageOf } from '../../job/failure.js';
import { isEmulated } from './login.js';

const TIMEOUT_MS = 10_000;
const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

interface Reference {
  /** Address of the registry's API. */
  origin: string;
  registry: string;
  repository: string;
  /** Tag or digest. */
  reference: string;
}

/** Reads `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]` as container tools do: without a registry it is Docker Hub's. */
export function parseImage(image: string): Reference {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const named = /[.:]/.test(first) || first === 'localhost';
  const rest = named ? image.slice(slash + 1) : image;
  const [path = '', digest] = rest.split('@');
  const [, name = path, tag] = /^(.*?)(?::([^:/]+))?$/.exec(path) ?? [];
  const reference = digest ?? tag ?? 'latest';
  if (!named)
    return {
      origin: 'https://registry-1.docker.io',
      registry: 'Docker Hub',
      repository: name.includes('/') ? name : `library/${name}`,
      reference,
    };
  const plain = /^(localhost|127\.0\.0\.1)(:|$)/.test(first);
  return { origin: `${plain ? 'http' : 'https'}://${first}`, registry: first, repository: name, reference };
}

/** Host of the registry, as it stands in the image's name. */
export const registryOf = (image: string) => image.split('/')[0] ?? '';

/** Whether Azure pulls the image with the container's identity: it does so from an Azure container registry. */
export const isPulledByIdentity = (image: string, identityId: string | undefined) =>
  identityId !== undefined && registryOf(image).endsWith('.azurecr.io');

/** A registry that turns away too many pulls may say "denied" as one that lacks the image does. */
const BUSY =
  /\b429\b|too ?many ?requests|rate limit|\b50[0-9]\b|internal server error|bad gateway|service unavailable|\btimeout|timed out|deadline exceeded|no such host|host not found|name resolution|server misbehaving|\bEOF\b|connection (reset|refused)|temporar/i;
/** What registries and container runtimes say of an image that will not come until somebody changes something. */
const REFUSED =
  /denied|unauthorized|authentication required|forbidden|\b40[134]\b|(manifest|name|repository)[ _]unknown|not found|does not exist|no matching manifest|invalid reference|is not accessible|unknown authority/i;

/** The words of a message without addresses and names of images, whose numbers and words mean nothing. */
const withoutNames = (message: string) => message.replace(/"[^"]*"|\S*\/\S*/g, '');

/** Whether a failed pull is one for a registry that is busy or out of reach, by what the platform says of it. */
export const isRegistryBusy = (message: string) => BUSY.test(withoutNames(message));

/** Whether a pull failed because the registry will not hand the image out until somebody changes something. */
export const isRefusedForGood = (message: string) => !isRegistryBusy(message) && REFUSED.test(withoutNames(message));

/** As `checkImage`, for the containers of a compute. An emulated Azure can only reach a registry on this machine. */
export async function checkImageFor(
  { endpoint, identityId }: { endpoint: string; identityId: string | undefined },
  image: string,
  setting: string,
): Promise<string | undefined> {
  if (isEmulated(endpoint) && !parseImage(image).origin.startsWith('http:')) return undefined;
  return checkImage(image, setting, isPulledByIdentity(image, identityId));
}

/**
 * Asks the registry for the image, as far as it answers without a login.
 * @param setting that names the image.
 * @param pulledByIdentity whether Azure pulls with an identity, whose rights the registry does not tell the app.
 * @returns a warning for the job when the registry gave no clear answer.
 * @throws JobError `user` when there is no such image, or the registry wants a login that nobody has.
 */
export async function checkImage(
  image: string,
  setting: string,
  pulledByIdentity: boolean,
): Promise<string | undefined> {
  const { origin, registry, repository, reference } = parseImage(image);
  try {
    const url = `${origin}/v2/${repository}/manifests/${reference}`;
    const status = await askAnonymously(url);
    if (status === 404)
      throw new JobError(
        'user',
        `${registry} has no image ${repository} with the tag or digest ${reference}; push it or correct ${setting}.`,
      );
    if (status === 401 || status === 403) {
      if (pulledByIdentity) return undefined;
      throw new JobError(
        'user',
        `${registry} has no image ${repository}, or asks for a login to pull it; correct ${setting}, or keep the image in an Azure container registry and name an identity that may pull it.`,
      );
    }
    return status < 300
      ? undefined
      : `The app could not check whether there is an image ${image}: ${registry} answered with status ${status}.`;
  } catch (error) {
    if (error instanceof JobError) throw error;
    return `The app could not check whether there is an image ${image}: it did not reach ${registry} (${messageOf(error)}).`;
  }
}

/** HTTP status of the answer. Registries that want a token hand one to everybody for public images. */
async function askAnonymously(url: string): Promise<number> {
  const first = await ask(url);
  const challenge = first.headers.get('www-authenticate') ?? '';
  const parameter = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  if (first.status !== 401 || !URL.canParse(parameter('realm'))) return first.status;
  const realm = new URL(parameter('realm'));
  for (const name of ['service', 'scope']) realm.searchParams.set(name, parameter(name));
  const answer = await fetch(realm, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  // A token service that is busy or broken says nothing about the image.
  if (!answer.ok) return answer.status === 429 || answer.status >= 500 ? answer.status : 401;
  const { token, access_token } = (await answer.json()) as { token?: string; access_token?: string };
  return (await ask(url, token ?? access_token)).status;
}

function ask(url: string, token?: string): Promise<Response> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return fetch(url, {
    method: 'HEAD',
    headers: { accept: MANIFESTS, ...authorization },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}
