import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const HOOKS = path.resolve(import.meta.dirname, '../../../infra/hooks');

interface Answer {
  to: string;
  says?: string;
  fails?: string;
  once?: boolean;
}

/** Takes the place of the Azure command line: notes what it is asked, and answers. */
const standIn = (answers: Answer[]) => `#!/bin/sh
echo "$*" >> "$0.asked"
case "$*" in
${answers.map((answer, index) => `*"${answer.to}"*)\n${replyOf(answer, index)}\n;;`).join('\n')}
esac
`;

function replyOf({ says = '', fails, once = false }: Answer, index: number) {
  if (fails === undefined) return `printf '${says}'`;
  const fail = `printf '${fails}' >&2; exit 1`;
  return once ? `[ -e "$0.${index}" ] || { : > "$0.${index}"; ${fail}; }` : fail;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'hooks-'));
  writeFileSync(path.join(folder, 'app.zip'), 'zip');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(hook: string, environment: Record<string, string>, answers: Answer[] = []) {
  const az = path.join(folder, 'az');
  writeFileSync(az, standIn(answers), { mode: 0o755 });
  rmSync(`${az}.asked`, { force: true });
  const child = spawn(process.execPath, [path.join(HOOKS, hook)], {
    env: { PATH: folder, PUBLISH_PAUSE_SECONDS: '0', APP_PACKAGE: path.join(folder, 'app.zip'), ...environment },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const asked = existsSync(`${az}.asked`) ? readFileSync(`${az}.asked`, 'utf8').trim().split('\n') : [];
  return { code, said, asked: asked.map((line) => line.replace(' --only-show-errors', '')) };
}

const DEPLOYED = {
  APP_NAME: 'func-x',
  APP_PLAN: 'EP1',
  AZURE_RESOURCE_GROUP: 'rg-x',
  INTERNAL_ACCOUNT: 'stintx',
  REGISTRY: 'crx',
  SCORER_IMAGE: 'crx.azurecr.io/scorer:1',
};
const NO_IMAGE: Answer = { to: 'repository show', fails: 'not found' };

describe.skipIf(process.platform === 'win32')('once the resources are there', () => {
  test('the image is built in the registry, and the app gets its package and starts anew', async () => {
    const { code, asked } = await run('publish.mjs', DEPLOYED, [NO_IMAGE]);
    expect(code).toBe(0);
    expect(asked).toEqual([
      'acr repository show --name crx --image scorer:1',
      'acr build --registry crx --image scorer:1 --file infra/scorer/Dockerfile .',
      expect.stringMatching(
        /^storage blob upload --account-name stintx --container-name app-package --name app.zip .*--auth-mode login/,
      ),
      'functionapp restart --name func-x --resource-group rg-x',
    ]);
  });

  test('an image that is there or that comes from elsewhere is left alone, and Flex Consumption has its own way', async () => {
    const elsewhere = { SCORER_GPU_IMAGE: 'example.azurecr.io/scorer-cuda:1', APP_PLAN: 'FlexConsumption' };
    const { code, asked } = await run('publish.mjs', { ...DEPLOYED, ...elsewhere });
    expect(code).toBe(0);
    expect(asked).toEqual([
      'acr repository show --name crx --image scorer:1',
      expect.stringMatching(
        /^functionapp deployment source config-zip --name func-x --resource-group rg-x --src .*zip$/,
      ),
    ]);
  });

  test('a role that Azure does not know of yet is waited for, and any other failure is told in one sentence', async () => {
    const denied = { to: 'storage blob', fails: 'You do not have the required permissions', once: true };
    const waited = await run('publish.mjs', DEPLOYED, [denied]);
    expect(waited.code).toBe(0);
    expect(waited.asked.filter((line) => line.startsWith('storage'))).toHaveLength(2);
    expect(waited.said).toContain('ten minutes');
    const broken = await run('publish.mjs', DEPLOYED, [{ to: 'storage blob', fails: 'WARNING: x\\nERROR: disk full' }]);
    expect(broken).toMatchObject({
      code: 1,
      said: expect.stringMatching(/upload the package of the app: ERROR: disk full\n$/),
    });
  });

  test('a build that fails is told at once, whatever it has printed', async () => {
    const printed = ['#8 403 files', 'npm ERR! 403 Forbidden', 'Authorization: none', 'ERROR: failed to solve'];
    const { code, asked, said } = await run('publish.mjs', DEPLOYED, [
      NO_IMAGE,
      { to: 'acr build', fails: printed.join('\\n') },
    ]);
    expect({ code, asked: asked.length }).toEqual({ code: 1, asked: 2 });
    expect(said).toMatch(/Could not build .*: ERROR: failed to solve\n$/);
  });

  test.each([
    'ERROR: (AuthorizationFailed) The client \\042x\\042 does not have authorization\\nCode: AuthorizationFailed',
    'ERROR: \\nYou do not have the required permissions needed to perform this operation.',
    'ERROR: This request is not authorized to perform this operation using this permission.',
    'ERROR: Operation returned an invalid status Forbidden',
  ])('Azure knows of a role later: %s', async (fails) => {
    const { code, asked } = await run('publish.mjs', DEPLOYED, [{ to: 'restart', fails, once: true }]);
    expect({ code, restarts: asked.filter((line) => line.includes('restart')).length }).toEqual({
      code: 0,
      restarts: 2,
    });
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['a package', { APP_PACKAGE: '/nowhere/app.zip' }, /no package of the app at \/nowhere\/app\.zip/],
    ['the Azure command line', { PATH: '/nowhere' }, /no Azure command line/],
    ['what azd says', { APP_NAME: '' }, /APP_NAME is not set/],
  ])('nothing happens without %s', async (_, environment, sentence) => {
    const { code, said, asked } = await run('publish.mjs', { ...DEPLOYED, ...environment });
    expect({ code, asked }).toEqual({ code: 1, asked: [] });
    expect(said).toMatch(sentence);
    expect(said).not.toContain('    at ');
  });
});

const ROLES = [1, 2].map((each) => ({ guid: `${each}0000000-0000-0000-0000-000000000000` }));
const [one = '', two = ''] = ROLES.map(({ guid }) => guid);
const MADE = {
  CUSTOM_ROLES: ROLES.map(({ guid }) => `/subscriptions/s/resourceGroups/rg-x/providers/roleDefinitions/${guid}`).join(
    ' ',
  ),
  AZURE_RESOURCE_GROUP: 'rg-x',
};

describe.skipIf(process.platform === 'win32')('before the group goes', () => {
  test('so do its custom roles that are there, and who has them', async () => {
    const is: Answer = { to: `definition list --name ${one}`, says: `${one}\\n` };
    const has: Answer = { to: 'assignment list', says: '/a/1\\n/a/2\\n' };
    const { code, asked, said } = await run('forget-roles.mjs', MADE, [is, has]);
    expect(code).toBe(0);
    expect(asked).toEqual([
      expect.stringContaining(`role definition list --name ${one} --resource-group rg-x`),
      `role assignment list --all --query [?ends_with(roleDefinitionId, '/${one}')].id --output tsv`,
      'role assignment delete --ids /a/1 /a/2',
      `role definition delete --name ${one} --resource-group rg-x`,
      expect.stringContaining(`role definition list --name ${two} --resource-group rg-x`),
    ]);
    expect(said).toBe(`The custom role ${one} is removed.\n`);
  });

  test.each<[string, Record<string, string>, Answer[], RegExp]>([
    ['the Azure command line', { PATH: '/nowhere' }, [], /no Azure command line/],
    ['what azd says', { AZURE_RESOURCE_GROUP: '' }, [], /AZURE_RESOURCE_GROUP is not set/],
    [
      'the right to',
      {},
      [{ to: 'definition list', fails: 'ERROR: not you' }],
      /remove the custom role .*: ERROR: not you/,
    ],
    ['names of roles', { CUSTOM_ROLES: "x/$(touch${IFS}y)')]" }, [], /which is no role/],
  ])('one sentence says that it cannot be without %s', async (_, environment, answers, sentence) => {
    const { code, said } = await run('forget-roles.mjs', { ...MADE, ...environment }, answers);
    expect(code).toBe(1);
    expect(said).toMatch(sentence);
    expect(said.trim().split('\n')).toHaveLength(1);
  });
});

test.skipIf(process.platform === 'win32')(
  'all that the hooks ask is about the subscription that azd works on',
  async () => {
    const environment = { ...DEPLOYED, ...MADE, AZURE_SUBSCRIPTION_ID: 'sub 1; $(true)' };
    const published = await run('publish.mjs', environment, [NO_IMAGE]);
    const forgotten = await run('forget-roles.mjs', environment);
    const asked = [...published.asked, ...forgotten.asked];
    expect(asked).toHaveLength(6);
    expect(asked.filter((line) => !line.endsWith('--subscription sub 1; $(true)'))).toEqual([]);
  },
);

test.skipIf(process.platform === 'win32')('a build may say as much as it likes', async () => {
  const talk: Answer = { to: 'acr build', says: '%02000000d' };
  const { code } = await run('publish.mjs', DEPLOYED, [NO_IMAGE, talk]);
  expect(code).toBe(0);
});
