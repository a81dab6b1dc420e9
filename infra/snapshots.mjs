// Writes anew what the template makes of each set of parameters: infra/NAME.test.snapshot.json. Needs the Bicep command line on PATH, or in BICEP.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';

const { BICEP = 'bicep' } = process.env;
const folder = import.meta.dirname;
const suffix = '.test.bicepparam';
const place = ['--subscription-id', '00000000-0000-0000-0000-000000000001', '--location', 'westeurope'];
for (const file of readdirSync(folder).filter((name) => name.endsWith(suffix))) {
  const options = ['--mode', 'overwrite', '--deployment-name', path.basename(file, suffix), ...place];
  try {
    execFileSync(BICEP, ['snapshot', path.join(folder, file), ...options], { stdio: 'inherit' });
  } catch (error) {
    // What else goes wrong, Bicep says itself.
    if (error.code === 'ENOENT')
      console.error(`There is no Bicep command line at ${BICEP}: install it, or name it in BICEP.`);
    process.exit(1);
  }
  console.log(`infra/${path.basename(file, '.bicepparam')}.snapshot.json`);
}
