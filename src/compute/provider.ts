import type { Printed } from '../container-contract/printout.js';
import type { GpuChoice } from '../job/compute-choice.js';
import type { Blame } from '../job/failure.js';
import type { PhaseTimes } from '../job/attempts/phases.js';
import type { PollBounds } from '../job/attempts/watch.js';

/** What a job asks of a compute before it starts. */
export interface PreflightRequest {
  /** Containers the job wants to run at once, 1 or more; absent: as many as suit the compute. */
  maxParallel?: number;
  /** Least memory of a container, in GB; absent: as much as the settings say. */
  memoryGb?: number | undefined;
  /** Where they are to run; absent: wherever the settings allow. */
  region?: string | undefined;
  /** `prefer` falls back to CPU, with a warning; `require` refuses the job without a GPU; absent means `none`. */
  gpu?: GpuChoice | undefined;
}

export interface Preflight {
  /** Containers that may run at once; never more than the job asks for. */
  maxParallel: number;
  /** One sentence, with its numbers, for each wish of the job that the compute does not fulfil. */
  warnings: string[];
  /** True when launches are to ask for a GPU. */
  gpu?: boolean;
  /** Absent where containers have no memory of their own. */
  memory?: Memory;
  /** How big a container is, as far as that is known. */
  size?: Omit<Place, 'region'>;
  /** Seconds that a container of this job may need until its first sign of life, where that is more than usual. */
  provisionSeconds?: number;
}

/** Memory of a container, in GB. */
export interface Memory {
  gb: number;
  /** What another one may get; absent where there is no more. */
  moreGb?: number;
}

export interface LaunchRequest {
  /** Deterministic per attempt: launching the same name twice starts one container. */
  name: string;
  jobId: string;
  batch: number;
  /** From 1. */
  attempt: number;
  /** From when on anybody may remove the container, whatever it does; in milliseconds since the epoch. */
  deadline: number;
  /** Containers of this job that may run beside this one, itself included. */
  parallel: number;
  /** As in the preflight. */
  region?: string | undefined;
  /** What the preflight decided. */
  gpu?: boolean | undefined;
  /** One of the two amounts that the preflight named. */
  memoryGb?: number | undefined;
  /** Environment of the scorer; every value is a secret. */
  environment: Record<string, string>;
  /** Set when the job goes on as well without it: a place that is not free at once is not waited for. */
  isExtra?: boolean;
  /**
   * The provider calls it right before the request that nobody can take back. It throws when another delivery of this launch
   * has taken over, as happens to a process that stood still.
   */
  confirm?: () => Promise<void>;
}

/** `lost`: the platform no longer knows the container. */
export type ContainerState = 'provisioning' | 'running' | 'succeeded' | 'failed' | 'lost';

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
  /** Set when it never got a place, as there is no room for it now. */
  noRoom?: true;
  /** Set when it ended for something of the platform that is over by now. */
  isOver?: true;
  /** Set when it ended for want of memory, or for something that the platform does not tell from that. */
  outOfMemory?: 'likely' | 'possible';
  /** What the platform says about it, oldest first, at most ten lines. */
  events?: string[];
  /** When the container had its place, had its image, and ran; as far as the platform tells. */
  times?: Pick<PhaseTimes, 'queued' | 'pulled' | 'started'>;
  /** When it ended, ISO 8601; as far as the platform tells. */
  endedAt?: string;
  place?: Place;
}

/** Whether it may still score. */
export const isAlive = ({ state }: Pick<Observation, 'state'>): boolean =>
  state === 'running' || state === 'provisioning';

/** Where a container runs and how big it is, as far as that is known. */
export interface Place {
  region?: string;
  /** Cores, virtual ones in Azure. */
  cpus?: number;
  memoryGib?: number;
  /** 0 where it is known that there is none. */
  gpus?: number;
}

/** A container as the platform lists it. */
export interface Launched {
  name: string;
  jobId: string;
  /** Milliseconds since the epoch; 0 when the platform does not tell. */
  deadline: number;
}

/**
 * Whatever runs scorer containers. Implementations throw JobError only: `platform` for what passes by itself, `user` for what
 * the user must change.
 */
export interface ComputeProvider {
  /**
   * Set where containers live no longer than the app, of which one instance runs at a time: whatever an earlier one was about to launch has
   * ended with it.
   */
  readonly endsWithApp?: true;
  /** Seconds between two looks at a container. */
  readonly poll: PollBounds;
  /**
   * How many containers fit, and whether the settings work, before the job spends anything. What it refuses for good for want of room has
   * `noRoom`.
   */
  preflight(request: PreflightRequest): Promise<Preflight>;
  /** Starts the container, unless one of this name exists. */
  launch(request: LaunchRequest): Promise<void>;
  /** What is known of the container; `lost` for a name that the platform does not know. Without a blame its end is charged to the batch. */
  observe(name: string): Promise<Observation>;
  /** The container's output so far, as far as the platform hands it out; nothing when there is none. */
  logs(name: string): Promise<Printed[]>;
  /** Stops and removes it; does nothing when there is none. */
  remove(name: string): Promise<void>;
  /** All containers that this app launched and did not remove. */
  list(): Promise<Launched[]>;
}
