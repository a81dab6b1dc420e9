import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { JobError } from '../job/failure.js';

/**
 * Container Apps shows the environment of an execution to everyone who may read the job, and only secrets of the job itself
 * stay hidden. So the job has one secret, a key, and every execution gets its values encrypted with it (AES-256-GCM).
 */
export const SEALED = 'SCORER_SEALED';
export const SEALING_KEY = 'SCORER_KEY';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A new key, in base64. */
export const makeSealingKey = () => randomBytes(KEY_BYTES).toString('base64');

/** Encrypts values; in base64: nonce, tag, ciphertext. `key` as made by `makeSealingKey`. */
export function seal(values: Record<string, string>, key: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, Buffer.from(key, 'base64'), nonce);
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(values), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString('base64');
}

/**
 * The environment with what was sealed in it; without a sealed part it is returned as it is.
 * @throws JobError `platform` when the key does not fit.
 */
export function unseal(environment: Record<string, string | undefined>): Record<string, string | undefined> {
  const { [SEALED]: sealed, [SEALING_KEY]: key = '', ...rest } = environment;
  if (sealed === undefined || sealed === '') return environment;
  try {
    const bytes = Buffer.from(sealed, 'base64');
    const decipher = createDecipheriv(CIPHER, Buffer.from(key, 'base64'), bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    return { ...rest, ...(JSON.parse(text.toString('utf8')) as Record<string, string>) };
  } catch (cause) {
    throw new JobError(
      'platform',
      `The scorer's environment variable ${SEALED} cannot be opened with ${SEALING_KEY}.`,
      {
        cause,
      },
    );
  }
}
