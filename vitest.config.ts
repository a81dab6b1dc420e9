import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.js';

const tests = (kind: string) => [`test/${kind}/**/*.test.ts`, `devhost/test/${kind}/**/*.test.ts`];

/** With which FFmpeg the tests of the media room run. */
type Ffmpeg = 'npm' | 'system';

/** Loading Azure's and ONNX Runtime's modules takes a second: a worker does it once for all of its files. */
const withServices = (name: string, include: string[], ffmpeg: Ffmpeg) => ({
  extends: true as const,
  test: {
    name,
    include,
    env: { TESTED_FFMPEG: ffmpeg },
    isolate: false,
    // The media room needs neither storage nor a host.
    globalSetup: ffmpeg === 'system' ? [] : ['test/support/global-setup.ts'],
    // Tests that run side by side in one file mostly wait: for emulated platforms and for leases of hosts that died.
    maxConcurrency: 10,
    // These wait for a fifth of their time. Projects with other numbers of workers run one after another. The browser and its jobs need the cores.
    ...(name === 'browser'
      ? { maxWorkers: 1, sequence: { groupOrder: 2 } }
      : { maxWorkers: 3, sequence: { groupOrder: 1 } }),
  },
});

const systemHasFfmpeg = existsSync('/usr/bin/ffmpeg');

/**
 * `unit`: no process, no network. `integration`: Azurite, FFmpeg, ONNX Runtime, devhost and whole jobs. `chaos`: kills, faults and
 * soaks. `browser`: the page in Chromium. `chaos-ffmpeg`: the tests of the media room again, with the FFmpeg of the system instead of the one from npm.
 */
export default defineConfig({
  test: {
    reporters: ['default', './test/support/count-reporter.ts'],
    maxWorkers: 2,
    // What is compiled once is there for all projects and later runs on the same Node, and when all is, unit tests take two thirds of the time.
    experimental: { fsModuleCache: true },
    sequence: { sequencer: LongestFirst },
    // Nothing that is right fails by these, on whatever machine; what waits for an event says before what it waited for.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 200_000 } },
    projects: [
      // Reading modules takes half of the time of these: a worker does it once for all of its files.
      { extends: true, test: { name: 'unit', include: tests('unit'), isolate: false } },
      withServices('integration', [...tests('integration'), 'devhost/test/conformance/scenario.test.ts'], 'npm'),
      withServices('chaos', [...tests('chaos'), 'devhost/test/conformance/recorded-*.test.ts'], 'npm'),
      withServices('browser', ['test/browser/**/*.test.ts'], 'npm'),
      ...(systemHasFfmpeg
        ? [withServices('chaos-ffmpeg', ['test/{integration,chaos}/media/**/*.test.ts'], 'system')]
        : []),
    ],
  },
});
