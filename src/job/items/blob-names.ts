/**
 * What blob storage or the way there does not keep as it is, by
 * https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata.
 */

const MOST_CHARACTERS = 1024;
const MOST_PARTS = 254;

/** Whether a name has control characters, halves of a surrogate pair, characters that are none in XML, or backslashes. */
export const hasUnusableCharacters = (name: string): boolean => /[\p{Cc}\p{Cs}\uFFFE\uFFFF\\]/u.test(name);

/** Whether a part of a name is empty or ends in a dot: clients and servers drop or resolve those. */
export const hasUnusableParts = (name: string): boolean =>
  name.split('/').some((part) => part === '' || part.endsWith('.'));

/** Whether a name is longer than a blob's may be, or has more parts. */
const isTooLong = (name: string): boolean => name.length > MOST_CHARACTERS || name.split('/').length > MOST_PARTS;

/** Whether a blob of this name cannot be asked for: storage would find another one, or none, or refuse. */
export const isUnusableName = (name: string): boolean =>
  hasUnusableCharacters(name) || hasUnusableParts(name) || isTooLong(name);
