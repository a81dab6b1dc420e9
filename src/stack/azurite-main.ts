import { createRequire } from 'node:module';
import { findByNameFirst, type Loki } from './find-by-name.js';

/** Azurite, with its arguments, fast also when it holds many blobs. */
const azurite = createRequire(createRequire(import.meta.url).resolve('azurite/dist/src/azurite.js'));
findByNameFirst(azurite('lokijs') as Loki);
azurite('./azurite.js');
