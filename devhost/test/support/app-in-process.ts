import { AppInvoker } from '../../src/app/app-invoker.js';
import { CoreModule, installCoreModule } from '../../src/app/core-module.js';
import { Log } from '../../src/log.js';

/** Says nothing: what goes wrong on purpose would stand among the results of the tests. */
class QuietLog extends Log {
  override write(): void {}
}

export const log = new QuietLog(false);

/** The functions that tests register in this process, through the real SDK. All test files of a worker share them. */
export const core = new CoreModule(log);
installCoreModule(core);

/** Calls them as the worker process does. */
export const invoker = new AppInvoker(core, '{}');
