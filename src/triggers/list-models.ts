import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { BlobItem } from '@azure/storage-blob';
import pMap from 'p-map';
import type { ListedModel, ModelList } from '../api/models.js';
import { again } from '../container-contract/storage-access.js';
import { contentTypeOf } from '../job/items/formats.js';
import { isModelName } from '../job/spec.js';
import { cardBlob, exampleBlob, MODEL_ENDING, modelBlob, modelsOf } from '../job-store/layout.js';
import { type PartialCard, parseCard } from '../model-card/schema.js';
import { listBlobs, readText, type Storage } from '../storage/storage.js';
import type { Caller, Callers } from './callers.js';
import { readableUrl } from './jobs/job-files.js';

/** What a card says, as the list shows it. */
type Said = Pick<ListedModel, 'description' | 'gives' | 'takesStyle'>;

const NOTHING_SAID: Said = { description: '', gives: null, takesStyle: null };
const MOST_LISTED = 200;
const MOST_REMEMBERED = 1000;
const READS = 8;

/** Ends the name of a model that a request has uploaded: who knows the name may use it, and no list gives it to others. */
const UPLOADED = /-[a-z2-7]{8}$/;

/** `GET /api/models`: the models that come with the app and, the newest first, those in the container `models`. */
export function createListModels({
  storage,
  bundledModels,
  callers,
}: {
  storage: Storage;
  /** Folder of the models that come with the app. */
  bundledModels: string;
  callers: Pick<Callers, 'known'>;
}) {
  /** By version of the card. */
  const known = new Map<string, Said>();

  async function saidInCard(card: BlobItem | undefined): Promise<Said> {
    if (!card) return NOTHING_SAID;
    const key = `${card.name} ${card.properties.etag}`;
    const said = known.get(key) ?? saidIn((await readText(modelsOf(storage), card.name)) ?? '{}');
    known.set(key, said);
    const [oldest] = known.keys();
    if (known.size > MOST_REMEMBERED && oldest !== undefined) known.delete(oldest);
    return said;
  }

  return callers.known(async (_, __, caller: Caller) => {
    const blobs = new Map<string, BlobItem>();
    for await (const blob of listBlobs(modelsOf(storage), { prefix: '' })) blobs.set(blob.name, blob);
    const exampleOf = (name: string) => readableUrl(storage, modelsOf(storage), exampleBlob(name));
    const bundled = await pMap(await namesIn(bundledModels), async (name): Promise<ListedModel> => {
      const hasExample = blobs.has(exampleBlob(name)) || (await publishExample(storage, bundledModels, name));
      return { ...(await bundledOne(bundledModels, name)), example: hasExample ? await exampleOf(name) : null };
    });
    const own = [...blobs.values()]
      .map((blob) => ({ name: blob.name.slice(0, -MODEL_ENDING.length), blob }))
      .filter(({ name, blob }) => blob.name === modelBlob(name) && isModelName(name))
      .filter(({ name }) => !bundled.some((each) => each.name === name))
      .filter(({ name }) => caller.sees === 'all' || !UPLOADED.test(name))
      .toSorted(
        (one, other) => other.blob.properties.lastModified.getTime() - one.blob.properties.lastModified.getTime(),
      )
      .slice(0, MOST_LISTED);
    const listed = await pMap(
      own,
      async ({ name, blob }): Promise<ListedModel> => ({
        name,
        bundled: false,
        ...(await saidInCard(blobs.get(cardBlob(name)))),
        bytes: blob.properties.contentLength ?? 0,
        example: blobs.has(exampleBlob(name)) ? await exampleOf(name) : null,
      }),
      { concurrency: READS },
    );
    return { jsonBody: { models: [...bundled, ...listed] } satisfies ModelList };
  });
}

async function namesIn(folder: string): Promise<string[]> {
  const files = await readdir(folder).catch(() => []);
  return files.filter((file) => file.endsWith(MODEL_ENDING)).map((file) => file.slice(0, -MODEL_ENDING.length));
}

async function bundledOne(folder: string, name: string): Promise<Omit<ListedModel, 'example'>> {
  const [card, { size }] = await Promise.all([
    readFile(path.join(folder, cardBlob(name)), 'utf8'),
    stat(path.join(folder, modelBlob(name))),
  ]);
  const said = saidIn(card);
  // What the app brings has a card that says all.
  return { name, bundled: true, ...said, takesStyle: said.takesStyle ?? false, bytes: size };
}

/** Copies the example of a model that comes with the app to where a URL can lead to it. @returns whether there is one. */
async function publishExample(storage: Storage, folder: string, name: string): Promise<boolean> {
  const bytes = await readFile(path.join(folder, exampleBlob(name))).catch(() => undefined);
  if (!bytes) return false;
  const models = modelsOf(storage);
  await models.createIfNotExists();
  const blobHTTPHeaders = { blobContentType: contentTypeOf(exampleBlob(name)) };
  await again(() => models.getBlockBlobClient(exampleBlob(name)).upload(bytes, bytes.length, { blobHTTPHeaders }));
  return true;
}

/** What the job would refuse says nothing here. */
function saidIn(text: string): Said {
  let card: PartialCard;
  try {
    card = parseCard(text);
  } catch {
    return NOTHING_SAID;
  }
  const { description = '', output, style } = card;
  return {
    description,
    gives: output === undefined ? null : (output.kind ?? 'image'),
    takesStyle: style === undefined ? null : style !== null,
  };
}
