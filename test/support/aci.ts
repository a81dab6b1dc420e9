import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll } from 'vitest';
import {
  type Emulator,
  type EmulatorOptions,
  type Exchange,
  startEmulator,
} from '../../azure-emulator/src/emulator.js';
import type { LedgerStore } from '../../src/compute/aci/create-budget.js';
import { type CreateLedger, EMPTY_LEDGER } from '../../src/compute/aci/create-ledger.js';
import { createAciCompute } from '../../src/compute/aci/provider.js';
import { readAciSettings, type AciSettings } from '../../src/compute/aci/settings.js';
import { createComputes } from '../../src/compute/computes.js';
import type { ComputeProvider, LaunchRequest } from '../../src/compute/provider.js';

/** Settings of an app whose Azure is at this address; `more` replaces or adds some. */
export function aciSettings(endpoint: string, more: NodeJS.ProcessEnv = {}): AciSettings {
  const settings = readAciSettings({
    AZURE_SUBSCRIPTION_ID: '00000000-0000-0000-0000-000000000000',
    ACI_RESOURCE_GROUP: 'rg',
    ACI_REGIONS: 'westeurope,northeurope',
    ACI_IMAGE: 'example.azurecr.io/scorer:1',
    ACI_POLL_SECONDS: '0.1',
    ACI_ENDPOINT: endpoint,
    ...more,
  });
  if (!settings) throw new Error('The settings are complete.');
  return settings;
}

/** Ledgers of creates that only this process knows. */
export function memoryLedgers(): LedgerStore {
  const ledgers = new Map<string, CreateLedger>();
  return {
    update: async (name, change) => {
      const changed = change(ledgers.get(name) ?? EMPTY_LEDGER);
      ledgers.set(name, changed);
      return changed;
    },
  };
}

/** The compute as an app that has just started makes it, against the Azure at this address. */
export const aciCompute = (
  endpoint: string,
  more: NodeJS.ProcessEnv = {},
  ledgers = memoryLedgers(),
): ComputeProvider => createAciCompute(aciSettings(endpoint, more), ledgers);

/** The computes of an app that has no settings for Azure: both refuse every job. */
export const notSetUp = () =>
  createComputes(
    { aci: undefined, containerApps: undefined },
    { childEnvironment: {}, scorerTuning: {}, ledgers: memoryLedgers(), readSealingKey: () => Promise.resolve('') },
  );

export interface TestAzure {
  emulator: Emulator;
  exchanges: Exchange[];
}

/** Opens its environment as the scorer does, and runs the JavaScript that is in it. */
const SEALED = pathToFileURL(path.resolve(import.meta.dirname, '../../dist/container-contract/sealing.js')).href;
const RUN = `import('${SEALED}').then(({ unseal }) => eval(unseal(process.env).PROGRAM))`;

/** What an emulator runs in place of the image: the program that `launchOf` was given. */
export const standIn = (): Pick<EmulatorOptions, 'command' | 'inherited'> => ({
  command: [process.execPath, '-e', RUN],
  inherited: { PATH: process.env.PATH },
});

/** An emulator in this process, for all tests of a file; by default a container sleeps until it is removed. */
export function useEmulator(options: Partial<EmulatorOptions> = {}): TestAzure {
  const azure = { exchanges: [] as Exchange[] } as TestAzure;
  beforeAll(async () => {
    azure.emulator = await startEmulator({
      port: 0,
      ...standIn(),
      delays: { waitMs: 20, pullMs: 20 },
      onExchange: (exchange) => azure.exchanges.push(exchange),
      ...options,
    });
  });
  afterAll(() => azure.emulator.stop());
  return azure;
}

let launches = 0;
/** A launch whose container runs this JavaScript. */
export function launchOf(program: string, more: Partial<LaunchRequest> = {}): LaunchRequest {
  launches += 1;
  return {
    name: `coast-k3v9q2xa-b${String(launches).padStart(5, '0')}-a1`,
    jobId: 'coast-k3v9q2xa',
    batch: launches,
    attempt: 1,
    deadline: Date.UTC(2026, 10, 23, 12),
    parallel: 2,
    environment: { PROGRAM: program, JOB_CONTAINER_URL: 'https://a.blob.core.windows.net/job?sig=top-secret' },
    ...more,
  };
}

export const FOREVER = 'console.log("scoring"); setInterval(() => undefined, 1000)';
