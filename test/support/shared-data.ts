import { existsSync } from 'node:fs';
import path from 'node:path';

const FOLDER = path.resolve(import.meta.dirname, '../../../shared/data');

/** Whether the folder of real test data lies beside the project; users' machines don't have it. */
export const hasSharedData = existsSync(FOLDER);
if (!hasSharedData) console.warn(`Tests on real data are skipped: there is no ${FOLDER}.`);

export const sharedData = (...parts: string[]) => path.join(FOLDER, ...parts);
