import { describe, expect, it } from 'vitest';
import { loadApp } from '../../../src/app/app-loader.js';
import { CoreModule } from '../../../src/app/core-module.js';
import { Log, UserFault } from '../../../src/log.js';
import { temporaryApp } from '../../support/temporary-app.js';

describe('the host refuses', () => {
  const refusal = async (files: Record<string, string>, into = new CoreModule(new Log(false))) => {
    const error: unknown = await loadApp(temporaryApp(files), into).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserFault);
    return String(error);
  };

  it('an app that registers nothing', async () => {
    expect(await refusal({ 'main.js': '' })).toMatch(/registers no function.*"main"/);
  });

  it('an app of the programming model before v4, and says so', async () => {
    expect(await refusal({ 'main.js': '', 'hello/function.json': '{}' })).toMatch(/function\.json.*v4/);
  });

  it('an app that throws while it is loaded, and names the file', async () => {
    expect(await refusal({ 'main.js': "throw new Error('missing setting');" })).toMatch(/main\.js: missing setting/);
  });

  it('a main that names no file', async () => {
    expect(await refusal({})).toMatch(/'main\.js'.*no file matches.*build/);
  });

  it('a package.json without main', async () => {
    expect(await refusal({ 'package.json': '{}' })).toMatch(/package\.json has no "main"/);
  });

  it('HTTP streaming', async () => {
    const core = new CoreModule(new Log(false));
    core.functions.add({ name: 'f', bindings: { http: { type: 'httpTrigger', name: 'http', direction: 'in' } } });
    core.model = {
      name: 'a library that streams',
      version: '4',
      getInvocationModel: () => expect.unreachable(),
      getCapabilities: () => Promise.resolve({ HttpUri: 'http://127.0.0.1:1' }),
    };
    expect(await refusal({ 'main.js': '' }, core)).toMatch(/HTTP streaming.*enableHttpStream/);
  });
});
