import type { MediaState } from '../../api/inbox.js';
import { JobError } from '../../job/failure.js';
import { isUnusableName } from '../../job/items/blob-names.js';
import { bareEtag, shownName } from '../../job/inbox/media-event.js';
import { DEFAULTS_FILE, whatStarts } from '../../job/inbox/what-starts.js';
import { claimId, readClaim } from '../../job-store/inbox/claims.js';
import { lookAtMedia, nearestDefaults } from '../../job-store/inbox/media.js';
import { INBOX, splitPath } from '../../job-store/layout.js';
import type { Storage } from '../../storage/storage.js';
import { answerErrors } from '../http.js';

/** `GET /api/inbox?path=&etag=`: what has become of a version of a blob of the inbox. */
export const createGetMedia = ({ storage }: { storage: Storage }) =>
  answerErrors(async (request) => {
    const { container, blob: name } = splitPath(request.query.get('path') ?? '');
    const etag = bareEtag(request.query.get('etag') ?? '');
    if (container !== INBOX || name === '' || etag === '')
      throw new JobError('user', `Name a blob with "path", such as ${INBOX}/a/coast.mp4, and its version with "etag".`);
    return { jsonBody: await stateOf(storage, name, etag) };
  });

async function stateOf(storage: Storage, name: string, etag: string): Promise<MediaState> {
  const version = { account: storage.media.accountName, container: INBOX, name, etag };
  const claim = await readClaim(storage, claimId(version));
  if (claim && claim.state !== 'claimed') {
    const { state, job, message = null } = claim;
    return { state, job: job?.jobId ?? null, message };
  }
  const why = await whyAlone(storage, name, etag);
  return { state: why === undefined ? 'unseen' : 'alone', job: null, message: why ?? null };
}

/** Why nothing is done about it; undefined when something will be. */
async function whyAlone(storage: Storage, name: string, etag: string): Promise<string | undefined> {
  const starter = whatStarts(name);
  if (starter === undefined) return `${INBOX}/${name} starts no job by its name.`;
  // Storage would not even look for it.
  if (isUnusableName(name)) return `No blob is called ${INBOX}/${shownName(name)}.`;
  const seen = await lookAtMedia(storage, { name, etag });
  if (seen.is === 'gone') return `${INBOX}/${name} is gone.`;
  if (seen.is === 'replaced') return `There is another version of ${INBOX}/${name} by now.`;
  if (seen.is === 'ours') return `${INBOX}/${name} was made by a job.`;
  if (starter !== 'video' || (await nearestDefaults(storage, name)) !== undefined) return undefined;
  return `There is no ${DEFAULTS_FILE} in the folder of ${INBOX}/${name} or above it; upload one that names a "model".`;
}
