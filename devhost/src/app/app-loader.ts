import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, UserFault } from '../log.js';
import type { CoreModule } from './core-module.js';

const CAPABILITIES = [
  'RawHttpBodyBytes',
  'RpcHttpTriggerMetadataRemoved',
  'RpcHttpBodyOnly',
  'IgnoreEmptyValuedRpcHttpHeaders',
  'UseNullableValueDictionaryForHttp',
  'WorkerStatus',
  'TypedDataCollection',
  'HandlesWorkerTerminateMessage',
];

/**
 * Loads the app the way the Node worker does: every file that `main`, by default that of its package.json, names (a glob is allowed), then
 * its appStart hooks, then the end of registration. An app that streams HTTP is refused: it would expect its requests
 * through a proxy of its own. Returns the paths of the files.
 */
export async function loadApp(folder: string, core: CoreModule, main?: string): Promise<string[]> {
  const files = await mainFiles(folder, main);
  for (const file of files) {
    try {
      await import(pathToFileURL(file).href);
    } catch (error) {
      if (error instanceof UserFault) throw error;
      const where = path.relative(folder, file);
      throw new UserFault(`The app could not be loaded: ${where}: ${messageOf(error)}`, { cause: error });
    }
  }
  if (!core.model || core.functions.all().length === 0) {
    const old = (await globbed('*/function.json', folder)).length > 0;
    throw new UserFault(
      old
        ? `The app in ${folder} has a function.json for each function: this host runs apps of the programming model v4, which register functions in code.`
        : `The app in ${folder} registers no function: does "main" in its package.json name the right file?`,
    );
  }
  await core.hooks.run('appStart', { hookData: {}, appHookData: core.hooks.appData, functionAppDirectory: folder });
  const capabilities = await core.model.getCapabilities(Object.fromEntries(CAPABILITIES.map((name) => [name, 'true'])));
  if (capabilities['HttpUri']) {
    throw new UserFault(
      'The app turns on HTTP streaming (app.setup enableHttpStream), which this host does not support.',
    );
  }
  core.lock();
  return files;
}

async function mainFiles(folder: string, asked: string | undefined): Promise<string[]> {
  const main = asked ?? (await readMain(folder));
  const files = await filesOf(main, folder);
  if (files.length === 0) {
    const who = asked === undefined ? `"main" in ${folder}/package.json` : '--main';
    throw new UserFault(`${who} names '${main}', and no file matches: build the app first.`);
  }
  return files.toSorted();
}

async function filesOf(main: string, folder: string): Promise<string[]> {
  const file = path.resolve(folder, main);
  if (existsSync(file) && statSync(file).isFile()) return [file];
  return await globbed(main, folder);
}

async function globbed(pattern: string, folder: string): Promise<string[]> {
  // Few apps need it, and all of them would wait until it is loaded.
  const { glob } = await import('tinyglobby');
  return await glob(pattern, { cwd: folder, absolute: true, dot: true });
}

async function readMain(folder: string): Promise<string> {
  const file = path.join(folder, 'package.json');
  let main: unknown;
  try {
    ({ main } = JSON.parse(await readFile(file, 'utf8')) as { main?: unknown });
  } catch (error) {
    throw new UserFault(`${file} could not be read: ${messageOf(error)}`);
  }
  if (typeof main !== 'string') throw new UserFault(`${file} has no "main" that names the app's file.`);
  return main;
}
