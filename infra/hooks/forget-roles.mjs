// What azd runs before it deletes the resource group: removes the custom roles, which would stay in the directory. If the group is to stay after
// all, "azd provision" makes them again.
import { execFileSync } from 'node:child_process';

const az = (...options) => execFileSync('az', [...options, '--only-show-errors'], { encoding: 'utf8' });

for (const role of (process.env.CUSTOM_ROLES ?? '').split(' ').filter(Boolean)) {
  const assignments = az('role', 'assignment', 'list', '--all', '--role', role, '--query', '[].id', '--output', 'tsv');
  const ids = assignments.split('\n').filter(Boolean);
  if (ids.length > 0) az('role', 'assignment', 'delete', '--ids', ...ids);
  const name = role.slice(role.lastIndexOf('/') + 1);
  az('role', 'definition', 'delete', '--name', name, '--resource-group', process.env.AZURE_RESOURCE_GROUP ?? '');
  console.log(`The custom role ${name} is removed.`);
}
