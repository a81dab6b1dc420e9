import type { Blame } from '../job/failure.js';
import type { PhaseTimes } from '../job/phases.js';
import type { PollBounds } from '../job/watch.js';

/** What the fan-out asks of a compute before it starts. */
export interface PreflightRequest {
  /** Containers the job wants to run at once, 1 or more; absent: as many as suit the compute. */
  maxParallel?: number;
  /** `prefer` runs on CPU, with a warning, where there is none; absent means `none`. */
  gpu?: 'none' | 'prefer' | 'require';
}

export interface Preflight {
  /** Containers that may run at once; never more than was asked for. */
  maxParallel: number;
  /** One sentence for each thing that was changed, with its numbers. */
  warnings: string[];
  /** True when the containers are to be launched with a GPU. */
  gpu?: boolean;
}

export interface LaunchRequest {
  /** Deterministic per attempt: launching the same name twice starts one container. */
  name: string;
  jobId: string;
  batch: number;
  /** From 1. */
  attempt: number;
  /** When the container may be removed whatever it does, in milliseconds since the epoch. */
  deadline: number;
  /** Containers of this job that may run beside this one, itself included. */
  parallel: number;
  /** What the preflight decided. */
  gpu?: boolean;
  /** Environment of the scorer; every value is handled as a secret. */
  environment: Record<string, string>;
  /**
   * To be called right before the request that cannot be taken back. It throws when another delivery of this launch has
   * taken over, as happens to a process that stood still.
   */
  confirm?: () => Promise<void>;
}

/** `lost`: the platform no longer knows it, though nobody removed it; `gone`: it was removed. */
export type ContainerState = 'provisioning' | 'running' | 'succeeded' | 'failed' | 'lost' | 'gone';

export interface Observation {
  state: ContainerState;
  exitCode?: number;
  /** Why it ended, in words a user understands. */
  reason?: string;
  /**
   * `platform`: the platform ended it, not the program; `user`: it can only run after the user changes something, such as
   * the image. Without it the program ended by itself.
   */
  blame?: Extract<Blame, 'user' | 'platform'>;
  /** What the platform reported of it, oldest first, at most ten lines. */
  events?: string[];
  /** When the container had its place, its image, and ran; as far as the platform tells. */
  times?: Pick<PhaseTimes, 'queued' | 'pulled' | 'started'>;
}

/** A container as the platform lists it. */
export interface Launched {
  name: string;
  jobId: string;
  /** Milliseconds since the epoch; 0 when the platform does not tell. */
  deadline: number;
}

/**
 * Whatever runs scorer containers. Implementations throw JobError only: `platform` for what is worth waiting out, `user`
 * for what must be changed.
 */
export interface ComputeProvider {
  readonly poll: PollBounds;
  /** What capacity, quota and SKU allow, with numbers. */
  preflight(request: PreflightRequest): Promise<Preflight>;
  /** Starts the container, unless one of this name exists. */
  launch(request: LaunchRequest): Promise<void>;
  observe(name: string): Promise<Observation>;
  /** The container's output so far, or '' when there is none. */
  logs(name: string): Promise<string>;
  /** Stops and removes it; fine when there is none. */
  remove(name: string): Promise<void>;
  /** All containers that this app launched and did not remove. */
  list(): Promise<Launched[]>;
}
