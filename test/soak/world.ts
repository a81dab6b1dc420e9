import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findFfmpeg } from '../../src/media/media.js';
import { processesWith } from '../support/processes.js';
import { type RestartableStack, startRestartableStack } from '../support/restartable-stack.js';

/** Bytes of the disk that may be filled. */
const DISK_MIB = 384;
const PIECE = Buffer.alloc(1024 * 1024);

export interface World extends RestartableStack {
  /** All that the stack keeps: its storage, temporary files and logs. */
  folder: string;
  /** Fills the stack's disk until the returned function is called; undefined where the disk is not the stack's own. */
  fillDisk: (() => () => void) | undefined;
  /** Process ids of the stack. */
  running: () => number[];
  /** Ends the stack. @param keep leaves its logs. @returns the processes that outlived it. */
  end: (keep: boolean) => Promise<number[]>;
}

/** A stack with emulated Azure, in a folder of its own and, where this user may mount one, on a small disk of its own. */
export async function startWorld(seed: number): Promise<World> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'scoring-soak-'));
  const isOwnDisk = mount(folder);
  const temp = path.join(folder, 'temp');
  mkdirSync(temp);
  const running = () => processesWith(`HOME=${folder}\0`);
  const unmount = () => {
    if (isOwnDisk) spawnSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true, force: true });
  };
  // The FFmpeg from npm starts in a thirtieth of the time of most systems' own.
  const { ffmpeg: FFMPEG_PATH, ffprobe: FFPROBE_PATH } = findFfmpeg({}, '');
  const own = { HOME: folder, TMPDIR: temp, FFMPEG_PATH, FFPROBE_PATH, MOST_RUNNING_JOBS: '100' };
  const env = { ...process.env, ...own };
  const stack = await startRestartableStack({ folder, seed, env, emulateAzure: true }).catch((error: unknown) => {
    unmount();
    throw error;
  });
  return {
    ...stack,
    folder,
    fillDisk: isOwnDisk ? () => fill(path.join(folder, 'filler')) : undefined,
    running,
    end: async (keep) => {
      await stack.stop();
      const left = running();
      if (keep) rescueLogs(folder, `${folder}-logs`);
      unmount();
      return left;
    },
  };
}

const mount = (folder: string) =>
  process.platform === 'linux' &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder]).status === 0;

function rescueLogs(folder: string, target: string): void {
  mkdirSync(target, { recursive: true });
  const names = ['devhost.log', 'azurite.log', 'azure-emulator.log'].map((name) => path.join(folder, name));
  spawnSync('cp', [...names, target]);
}

/** Writes until nothing more fits. @returns what makes room again. */
function fill(file: string): () => void {
  const descriptor = openSync(file, 'w');
  try {
    for (let piece = PIECE; ;) {
      try {
        writeSync(descriptor, piece);
      } catch {
        if (piece.length === 1) break;
        piece = piece.subarray(0, piece.length >> 4 || 1);
      }
    }
  } finally {
    closeSync(descriptor);
  }
  return () => rmSync(file, { force: true });
}
