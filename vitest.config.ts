import { defineConfig } from 'vitest/config';

const tests = (kind: string) => [`test/${kind}/**/*.test.ts`, `devhost/test/${kind}/**/*.test.ts`];

/**
 * `unit`: no process, no network. `integration`: Azurite, FFmpeg, ONNX Runtime, devhost and whole jobs. `chaos`: kills, faults and
 * soaks.
 */
export default defineConfig({
  test: {
    reporters: ['default', './test/support/count-reporter.ts'],
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'unit', include: tests('unit') } },
      ...['integration', 'chaos'].map((name) => ({
        extends: true as const,
        test: {
          name,
          include: tests(name),
          // Loading Azure's and ONNX Runtime's modules takes a second: a worker does it once for all of its files.
          isolate: false,
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Tests that run side by side in one file mostly wait: for emulated platforms and for leases of hosts that died.
          maxConcurrency: 10,
        },
      })),
    ],
  },
});
