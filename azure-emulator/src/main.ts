import os from 'node:os';
import { startEmulator } from './emulator.js';

/**
 * `node main.js PORT PROGRAM ARGUMENTS…` serves container groups and Container Apps jobs until SIGTERM; every container
 * runs PROGRAM. It prints its address when it is ready.
 */
const FOR_CONTAINERS = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'LD_LIBRARY_PATH',
  'NODE_EXTRA_CA_CERTS',
];

const [port = '0', ...command] = process.argv.slice(2);
const inherited = Object.fromEntries(
  FOR_CONTAINERS.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
);
// A region that is as big as this machine, so that jobs run as many containers as it has cores.
const cores = os.availableParallelism();
const quotas = { ContainerGroups: 100, StandardCores: cores };
const apps = {
  location: 'emulated',
  profiles: { Consumption: 'Consumption' },
  quotas: { ManagedEnvironmentConsumptionCores: cores, SubscriptionConsumptionT4Gpus: 0 },
};
const emulator = await startEmulator({ port: Number(port), command, inherited, quotas, apps });
console.log(`The Azure emulator is listening on ${emulator.url}`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void emulator.stop().then(() => process.exit(0));
  });
}
