// What azd runs before it deletes the resource group: removes the custom roles, which would stay in the directory. If the group is to stay after
// all, "azd provision" makes them again.
import { az, giveUp, giveUpOn } from './azure.mjs';

const { AZURE_RESOURCE_GROUP: group, CUSTOM_ROLES = '' } = process.env;

function forget(name) {
  const here = ['--name', name, '--resource-group', group];
  const found = az(
    'role',
    'definition',
    'list',
    ...here,
    '--custom-role-only',
    'true',
    '--query',
    '[].name',
    '--output',
    'tsv',
  );
  if (found.trim() === '') return;
  // Azure names the role of an assignment below the subscription, and that of a definition below its group: only their last parts are equal.
  const ofRole = `[?ends_with(roleDefinitionId, '/${name}')].id`;
  const assignments = az('role', 'assignment', 'list', '--all', '--query', ofRole, '--output', 'tsv');
  const ids = assignments
    .split('\n')
    .map((id) => id.trim())
    .filter(Boolean);
  if (ids.length > 0) az('role', 'assignment', 'delete', '--ids', ...ids);
  az('role', 'definition', 'delete', ...here);
  console.log(`The custom role ${name} is removed.`);
}

for (const role of CUSTOM_ROLES.split(' ').filter(Boolean)) {
  const name = role.slice(role.lastIndexOf('/') + 1);
  if (!/^[\da-f-]{36}$/i.test(name))
    giveUp(
      `CUSTOM_ROLES names ${JSON.stringify(role)}, which is no role: run "azd provision" once more, or remove that name with "azd env set".`,
    );
  if (!group) giveUp('AZURE_RESOURCE_GROUP is not set: run this by "azd down", or "azd hooks run predown".');
  try {
    forget(name);
  } catch (error) {
    giveUpOn(`remove the custom role ${name}`, error);
  }
}
