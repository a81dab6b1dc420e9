import type { BatchPlan } from '../job/plan.js';
import type { JobSpec } from '../job/spec.js';
import type { Timeouts } from '../job/watch.js';

/** Inputs and outputs of the activities: small, without secrets, kept in the orchestration history. */

export interface PrepareInput {
  jobId: string;
  spec: JobSpec;
}

export interface Prepared {
  /** Frames the video is expected to have; `splitVideo` tells the true number. */
  expectedItems: number;
  /** Frames that one activity stitches at most; 0 for images. */
  chunkFrames: number;
  /** Activities that split the video; 1 for a short one. */
  splitChunks: number;
  /** Containers that may run at once. */
  parallel: number;
  warnings: string[];
}

export interface ListResult {
  items: number;
  warnings: string[];
}

export interface CollectInput {
  jobId: string;
  /** Index of the first item, and how many there are; `first` is where an item list begins. */
  first: number;
  count: number;
}

export interface CollectResult {
  /** Of what was stored below the output prefix. */
  bytes: number;
}

export interface SplitInput {
  jobId: string;
  /** Chunks that `splitChunk` has been through; 1 when there was no need for any. */
  chunks: number;
}

export interface SplitResult {
  frames: number;
  /** Set when the video broke half-way. */
  warning?: string;
}

/** One chunk of a long video. */
export interface ChunkInput {
  jobId: string;
  chunk: number;
}

export interface EncodeChunkInput extends ChunkInput {
  /** Of the whole video. */
  frames: number;
  chunkFrames: number;
}

/** One attempt of one batch. */
export interface AttemptInput {
  jobId: string;
  batch: number;
  /** Index of the batch's first item, and how many it has. */
  first: number;
  count: number;
  /** From 1. */
  attempt: number;
}

export interface LaunchResult {
  /** Items without an output; with 0 no container was started. */
  remaining: number;
  stopped: boolean;
}

export interface ObserveInput extends AttemptInput {
  /** Milliseconds since the epoch, on the durable clock. */
  launchedAt: number;
  timeouts: Timeouts;
  /** Whether the look before this one failed. */
  again?: boolean;
}

export type Verdict = 'running' | 'ended' | 'stalled' | 'batch-timeout' | 'provision-timeout' | 'stopped';

export interface ObserveResult {
  verdict: Verdict;
  pollSeconds: number;
}

export interface SettleInput extends AttemptInput {
  /** `unseen`: nobody knows, since the container could not be looked at. */
  verdict: Exclude<Verdict, 'running'> | 'unseen';
  /** Milliseconds since the epoch, on the durable clock. */
  launchedAt: number;
  /** Charged attempts that remain after this one. */
  attemptsLeft: number;
}

export interface SettleResult {
  done: number;
  failed: number;
  missing: number;
  /** How an attempt that left items missing counts. */
  failure: 'none' | 'charged' | 'platform' | 'user' | 'stopped' | 'cancelled';
  /** Why items are missing, or the first failed item and its reason; '' when all were scored. */
  message: string;
}

export interface StitchInput {
  jobId: string;
  frames: number;
  /** With more frames than this, `encodeChunk` has encoded them already. */
  chunkFrames: number;
}

export interface StitchResult {
  output: string;
  bytes: number;
}

export interface FinishInput {
  jobId: string;
  outcome: 'done' | 'failed' | 'cancelled';
  message: string;
  /** Absent when the job failed before there was one. */
  plan?: BatchPlan;
}

export interface FinishResult {
  done: number;
  failed: number;
  attempts: number;
}
