// Writes anew what the template makes of each set of parameters: infra/NAME.test.snapshot.json. Needs the Bicep command line on PATH, or in BICEP.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';

const folder = import.meta.dirname;
const suffix = '.test.bicepparam';
const place = ['--subscription-id', '00000000-0000-0000-0000-000000000001', '--location', 'westeurope'];
for (const file of readdirSync(folder).filter((name) => name.endsWith(suffix))) {
  const options = ['--mode', 'overwrite', '--deployment-name', path.basename(file, suffix), ...place];
  execFileSync(process.env.BICEP ?? 'bicep', ['snapshot', path.join(folder, file), ...options], { stdio: 'inherit' });
  console.log(`infra/${path.basename(file, '.bicepparam')}.snapshot.json`);
}
