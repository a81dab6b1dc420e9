import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Option } from 'commander';
import { checkMachine, checkPort } from '../../doctor/machine.js';
import { checkPackages, checkPrograms } from '../../doctor/programs.js';
import {
  attempt,
  type Check,
  cleanGroups,
  type Group,
  ok,
  renderReport,
  warn,
  whoIsHere,
} from '../../doctor/report.js';
import { checkAzure, checkSettings } from '../../doctor/services.js';
import { startAzureEmulator } from '../../stack/azure-emulator.js';
import { findStack } from '../../stack/stack.js';
import { JobError } from '../../job/failure.js';
import { addExamples, addJson, addPlace, type Around, type Define, EXIT, type Place } from '../around.js';
import { createJobClient } from '../client/client.js';
import { APP_FOLDER, calling } from '../installed.js';

const EMULATED = ['aci-emulated', 'container-apps-emulated'];

interface Flags extends Place {
  azure: boolean;
  compute?: string;
}

export const define: Define = (command, around) => {
  command.option('--azure', 'check Azure alone, as it is set up in this environment: rights, quota, storage', false);
  command.addOption(
    new Option('--compute <kind>', 'check a stand-in for Azure on this machine in place of what is configured').choices(
      EMULATED,
    ),
  );
  addPlace(addJson(command, 'print the report as JSON'), around).action(async (flags: Flags) => {
    if (flags.url !== undefined && (flags.azure || flags.compute !== undefined))
      throw new JobError(
        'user',
        `--${flags.azure ? 'azure' : 'compute'} looks at what is set up here; leave it or --url out.`,
      );
    const { version, engines } = JSON.parse(await readFile(path.join(APP_FOLDER, 'package.json'), 'utf8')) as Package;
    const found = await (flags.url === undefined
      ? lookHere(flags, around, engines.node)
      : [await lookAt(flags.url, flags.key, version)]);
    const groups = cleanGroups(found, whoIsHere());
    const healthy = groups.every(({ checks }) => checks.every(({ state }) => state !== 'fail'));
    if (around.json) around.print(JSON.stringify({ version, healthy, groups }, null, 2));
    else around.print(renderReport(`durable-batch-scoring ${version}`, groups));
    if (!healthy) process.exitCode = EXIT.other;
  });
  addExamples(
    command,
    ['what is here, as Markdown without names and secrets'],
    [
      'a deployed app: whether it answers, takes the key and reaches its storage',
      '--url',
      'https://my-app.azurewebsites.net',
      '--key',
      'KEY',
    ],
    ['rights and quota in Azure, as it is set up here', '--azure'],
    ['the same against a stand-in for Azure', '--azure', '--compute', 'aci-emulated'],
  );
};

interface Package {
  version: string;
  engines: { node: string };
}

async function lookHere({ data, compute, azure: only }: Flags, { env }: Around, node: string): Promise<Group[]> {
  const lookAtAzure = () => (compute === undefined ? checkAzure(env, { isAskedFor: only }) : checkEmulated(env));
  if (only) return [await lookAtAzure(), checkSettings(env)];
  const model = path.join(APP_FOLDER, 'models/starry-night.onnx');
  const temp = env.TEMP_FOLDER || os.tmpdir();
  const stack = await findStack(data);
  const isRunning = stack !== undefined;
  const [machine, ports, programs, packages, running, azure] = await Promise.all([
    checkMachine(node, [
      ['data', data],
      ['temporary', temp],
    ]),
    Promise.all([checkPort(7071, 'the app', isRunning), checkPort(10_000, 'blob storage', isRunning)]),
    checkPrograms(env, model),
    checkPackages(APP_FOLDER),
    attempt('local stack', () => checkStack(stack?.url)),
    lookAtAzure(),
  ]);
  return [
    machine,
    programs,
    { title: 'Local stack', checks: [...running, ...ports] },
    azure,
    checkSettings(env),
    packages,
  ];
}

async function checkStack(url: string | undefined): Promise<Check[]> {
  if (url === undefined) return [ok('local stack', `does not run; "${calling('start')}" starts it`)];
  const { version } = await createJobClient(url, undefined).caller();
  return [ok('local stack', `runs at ${url}, version ${version}`)];
}

/** As `checkAzure`, with a stand-in for Azure that runs for the moment. */
async function checkEmulated(env: NodeJS.ProcessEnv): Promise<Group> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'doctor-'));
  const emulator = await startAzureEmulator(folder, env);
  try {
    return await checkAzure({ ...env, ...emulator.settings });
  } finally {
    await emulator.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A deployed app. What is on this machine says nothing about it. */
async function lookAt(url: string, key: string | undefined, own: string): Promise<Group> {
  const client = createJobClient(url, key);
  const since = performance.now();
  const answers = await attempt('app', async () => {
    const { version, id, sees } = await client.caller();
    const whole = `answers after ${Math.round(performance.now() - since)} ms`;
    const what = sees === 'all' ? 'sees all jobs' : 'sees its own jobs';
    return [ok('app', whole), ok('key', `accepted; the caller is ${id} and ${what}`), judgeVersion(version, own)];
  });
  if (answers.some(({ state }) => state === 'fail')) return { title: 'The app', checks: answers };
  const storage = await attempt('storage', async () => {
    await client.jobs({ limit: 1, from: '' });
    return ok('storage', 'the app reaches it');
  });
  return { title: 'The app', checks: [...answers, ...storage] };
}

export function judgeVersion(version: string | undefined, own: string): Check {
  if (version === undefined)
    return warn('version', 'the app does not tell', 'It is older than this program; deploy it again.');
  return version === own
    ? ok('version', version)
    : warn('version', `${version}, and this program is ${own}`, 'Use the same version of both.');
}
