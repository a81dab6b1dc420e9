/** A job id: instance id, container-name suffix and group-name prefix at once. */
const JOB_ID = /^[a-z0-9](?:-?[a-z0-9]){2,47}$/;

export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}

/**
 * A readable id, e.g. `coast-k3v9q2xa`: at most 24 characters of the input's file or folder name and the random part.
 * Lower-case letters, digits and single hyphens, since it is part of blob container and container group names.
 * @param random 8 lower-case letters or digits.
 */
export function makeJobId(inputPath: string, random: string): string {
  const file = inputPath.split('/').findLast((part) => part !== '') ?? '';
  const slug = file
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 24)
    .replace(/^-+|-+$/g, '');
  return `${slug || 'job'}-${random}`;
}
