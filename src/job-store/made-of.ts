import { createHash } from 'node:crypto';
import type { BlobClient } from '@azure/storage-blob';
import { bareEtag } from '../job/inbox/media-event.js';
import { type BlobVersion, boundPart, type MadeOf } from '../job/redrive.js';
import type { JobSpec } from '../job/spec.js';
import { parseCard } from '../model-card/schema.js';
import { isNotFound, type Storage } from '../storage/storage.js';
import { missingInput, readModelTexts } from './inputs.js';
import { mediaBlob, modelBlob, modelsOf } from './layout.js';

/** What the outputs of a job are made of, as it is in storage now. @throws JobError `user` that names what is missing. */
export async function readMadeOf(storage: Storage, { model, style, input }: JobSpec): Promise<MadeOf> {
  const media = (path: string) => mediaBlob(storage, path);
  const [modelVersion, { card, labels }, styleVersion, videoVersion, audioVersion] = await Promise.all([
    versionOf(modelsOf(storage).getBlobClient(modelBlob(model)), () => missingInput('model', model)),
    readModelTexts(storage, model),
    style === undefined ? undefined : versionOf(media(style), () => missingInput('style', style)),
    input.video === undefined
      ? undefined
      : versionOf(media(input.video), () =>
          input.url === undefined ? missingInput('video', input.video ?? '') : missingInput('url', input.url),
        ),
    input.audio === undefined
      ? undefined
      : versionOf(media(input.audio), () => missingInput('audio', input.audio ?? '')),
  ]);
  const bound = JSON.stringify([boundPart(parseCard(card ?? '{}')), labels ?? null]);
  return {
    model: modelVersion,
    card: createHash('sha256').update(bound).digest('hex'),
    ...(styleVersion && { style: styleVersion }),
    ...(videoVersion && { video: videoVersion }),
    ...(audioVersion && { audio: audioVersion }),
  };
}

async function versionOf(blob: BlobClient, missing: () => Error): Promise<BlobVersion> {
  const {
    etag,
    contentMD5,
    contentLength = 0,
  } = await blob.getProperties().catch((cause: unknown) => {
    throw isNotFound(cause) ? missing() : cause;
  });
  const md5 = contentMD5 && Buffer.from(contentMD5).toString('base64');
  return { etag: bareEtag(etag ?? ''), ...(md5 !== undefined && md5 !== '' && { md5 }), bytes: contentLength };
}
