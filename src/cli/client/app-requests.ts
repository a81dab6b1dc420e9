import { JobError } from '../../job/failure.js';

/**
 * The address of an app, with the slash that routes are resolved against.
 * @throws JobError `user` when it is none.
 */
export function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new JobError('user', `"${text}" is no address of an app; it looks like https://my-app.azurewebsites.net.`);
  return url.pathname.endsWith('/') ? url : new URL(`${url.pathname}/`, url);
}

/** @throws JobError with the app's own sentence when it refuses, `platform` when there is no answer. */
export async function request(url: URL, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, { ...init, redirect: 'manual' });
  } catch (cause) {
    throw new JobError('platform', `No answer from ${url.origin}; check the address and that the app runs.`, { cause });
  }
  if (answer.status < 400) return answer;
  if (answer.status === 401 || answer.status === 403)
    throw new JobError(
      'user',
      `${url.origin} refused the request (HTTP ${answer.status}); pass the app's function key with --key.`,
    );
  const said = await answer.json().then(
    (body) => (body as { error?: unknown } | null)?.error,
    () => undefined,
  );
  throw new JobError(
    answer.status < 500 ? 'user' : 'platform',
    typeof said === 'string' ? said : `${url.origin}${url.pathname} answered HTTP ${answer.status}; check the address.`,
  );
}

/** The JSON of an answer. @throws JobError `user` when it is none: something else than the app listens there. */
export async function readAnswer<T>(answer: Response, { origin }: URL): Promise<T> {
  try {
    return (await answer.json()) as T;
  } catch (cause) {
    throw new JobError('user', `${origin} does not answer as this app does; check the address.`, { cause });
  }
}
