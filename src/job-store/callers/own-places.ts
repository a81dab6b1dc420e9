import type { JobSpec } from '../../job/spec.js';
import { INBOX, OUTBOX, STYLES, UPLOADS } from '../layout.js';

/** Where a caller's own files are, when callers are kept apart: in folders named like the caller, each a path that ends in "/". */
export const ownPlaces = (caller: string) => ({
  uploads: `${INBOX}/${UPLOADS}/${caller}/`,
  styles: `${STYLES}/${caller}/`,
  outputs: `${OUTBOX}/${caller}/`,
});

/**
 * What of a specification is outside of the caller's own places, as one sentence; undefined when all is inside. Names alone decide, so that
 * the answer tells nothing of others' files.
 */
export function whatIsOutside(caller: string, { input, style, output }: JobSpec): string | undefined {
  const { uploads, styles, outputs } = ownPlaces(caller);
  const list = typeof input.list === 'string' ? input.list : undefined;
  const named: [string, string | undefined, string[]][] = [
    ['input.video', input.video, [uploads]],
    ['input.images', input.images, [uploads]],
    ['input.audio', input.audio, [uploads]],
    ['input.list', list, [uploads]],
    ['style', style, [styles, uploads]],
    ['output.video', output.video, [outputs]],
    ['output.images', output.images, [outputs]],
    ['output.predictions', output.predictions, [outputs]],
  ];
  for (const [member, path, places] of named)
    if (path !== undefined && !places.some((place) => path.startsWith(place) && path !== place))
      return `"${member}" must be below ${places.join(' or ')}, where your own files are, as callers of this app are kept apart.`;
  return undefined;
}
