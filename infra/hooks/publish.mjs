// What azd runs once the resources are there: puts the scorer's images into the registry and the package of the app into its place. Reads what
// main.bicep tells azd, and does everything by the Azure command line. Whatever is there already stays, but for the package.
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { az, giveUp, giveUpOn } from './azure.mjs';

const { APP_NAME, APP_PLAN, AZURE_RESOURCE_GROUP, INTERNAL_ACCOUNT, REGISTRY } = process.env;
const { APP_PACKAGE: file = 'out/app.zip', SCORER_IMAGE = '', SCORER_GPU_IMAGE = '' } = process.env;
// A right takes up to ten minutes until every part of Azure knows of it.
const PAUSE_SECONDS = Number(process.env.PUBLISH_PAUSE_SECONDS ?? 30);
const TRIES = 25;

/**
 * How the Azure command line begins a line that says that somebody lacks a right: for the resource manager, for storage and for the site that takes
 * packages. The words and numbers alone are in what builds print, too.
 */
const DENIED = new RegExp(
  String.raw`^(?:ERROR: )?(?:${[
    String.raw`\(?AuthorizationFailed\b`,
    'Code: AuthorizationFailed\\s*$',
    'You do not have the required permissions\\b',
    'This request is not authorized to perform this operation\\b',
    'ErrorCode: ?Authorization(?:PermissionMismatch|Failure)\\b',
    "Operation returned an invalid status '?Forbidden\\b",
    'Status Code: 403\\b',
  ].join('|')})`,
  'm',
);

/** Runs it again while Azure says that it may not be done. */
async function onceAllowed(what, ...options) {
  for (let tries = 1; ; tries += 1) {
    try {
      return az(...options);
    } catch (error) {
      if (!DENIED.test(String(error.stderr)) || tries === TRIES) giveUpOn(what, error);
      if (tries === 1)
        console.log(`Azure does not let you ${what} yet; it may take up to ten minutes until it knows your new role.`);
      await pause(PAUSE_SECONDS * 1000);
    }
  }
}

/** Only those of our own registry are ours to build. */
async function putImage(image, dockerfile) {
  const [registry, name] = [image.slice(0, image.indexOf('/')), image.slice(image.indexOf('/') + 1)];
  if (!registry.startsWith(`${REGISTRY}.`)) return;
  try {
    az('acr', 'repository', 'show', '--name', REGISTRY, '--image', name);
    console.log(`${image} is there already; another SCORER_TAG builds another one.`);
    return;
  } catch {
    console.log(`Building ${image} in the registry …`);
  }
  await onceAllowed(
    `build ${image}`,
    'acr',
    'build',
    '--registry',
    REGISTRY,
    '--image',
    name,
    '--file',
    dockerfile,
    '.',
  );
}

async function putPackage() {
  const app = ['--name', APP_NAME, '--resource-group', AZURE_RESOURCE_GROUP];
  if (APP_PLAN === 'FlexConsumption') {
    await onceAllowed('deploy the app', 'functionapp', 'deployment', 'source', 'config-zip', ...app, '--src', file);
    return;
  }
  const blob = ['--account-name', INTERNAL_ACCOUNT, '--container-name', 'app-package', '--name', 'app.zip'];
  const how = ['--file', file, '--overwrite', '--auth-mode', 'login', '--no-progress'];
  await onceAllowed('upload the package of the app', 'storage', 'blob', 'upload', ...blob, ...how);
  // It mounts its package when it starts.
  await onceAllowed('restart the app', 'functionapp', 'restart', ...app);
}

const missing = Object.entries({ APP_NAME, APP_PLAN, AZURE_RESOURCE_GROUP, INTERNAL_ACCOUNT, REGISTRY }).find(
  ([, value]) => !value,
);
if (missing) giveUp(`${missing[0]} is not set: run this by "azd provision", or "azd hooks run postprovision".`);
if (!existsSync(file))
  giveUp(`There is no package of the app at ${file}: make it with "npm run package", or name it in APP_PACKAGE.`);
await putImage(SCORER_IMAGE, 'infra/scorer/Dockerfile');
await putImage(SCORER_GPU_IMAGE, 'infra/scorer/Dockerfile.cuda');
await putPackage();
console.log(`${APP_NAME} has its package.`);
