import { createLogin } from '../../src/compute/azure/login.js';
import { openStorage } from '../../src/storage/storage.js';

/** One Azurite as both accounts of the app. */
export const openAzurite = (connection: string) =>
  openStorage({ mediaConnection: connection, internalConnection: connection }, createLogin);
