/** The part of Azurite that writes its answers, as far as it matters here. */
export interface Answers {
  stringifyXML: (answer: object, options?: object) => string;
}

interface Listed {
  Name?: unknown;
}
interface Listing {
  Blobs?: { Blob?: Listed[]; BlobPrefix?: Listed[] };
}

/** What XML cannot hold, not even escaped, and the other control characters. */
const NOT_IN_XML = /[\p{Cc}\uFFFE\uFFFF]/u;

/**
 * Has Azurite encode the names in listings that XML cannot hold, as storage in Azure does
 * (https://learn.microsoft.com/rest/api/storageservices/list-blobs). As it comes, it answers 500 to every listing with one of them in it, so
 * that one file under such a name would hide all others.
 */
export function encodeListedNames(answers: Answers): void {
  const { stringifyXML } = answers;
  answers.stringifyXML = (answer, options) => {
    const { Blobs: listed }: Listing = answer;
    for (const each of [...(listed?.Blob ?? []), ...(listed?.BlobPrefix ?? [])])
      if (typeof each.Name === 'string' && NOT_IN_XML.test(each.Name))
        each.Name = { $: { Encoded: 'true' }, _: encodeURIComponent(each.Name) };
    return stringifyXML(answer, options);
  };
}
