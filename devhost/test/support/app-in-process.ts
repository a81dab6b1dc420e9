import { AppInvoker } from '../../src/app/app-invoker.js';
import { CoreModule, installCoreModule } from '../../src/app/core-module.js';
import { Log } from '../../src/log.js';

/** The functions that tests register in this process, through the real SDK. All test files of a worker share them. */
export const core = new CoreModule(new Log(false));
installCoreModule(core);

/** Calls them as the worker process does. */
export const invoker = new AppInvoker(core, '{}');
