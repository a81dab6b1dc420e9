import type { InvocationContext } from '@azure/functions';
import type { ComputeProvider } from '../compute/provider.js';
import type { ComputeKind } from '../job/compute-choice.js';
import type { Urls } from '../internet/fetch-url.js';
import type { DailyLimits } from '../job/daily-limits.js';
import type { AdmissionLimits } from '../job/inbox/admission.js';
import type { PriceTable } from '../job/estimate/prices.js';
import type { Media } from '../media/media.js';
import type { Notices } from '../notices/send.js';
import type { ModelInspector } from '../scorer/engine/inspect/inspect.js';
import type { Storage } from '../storage/storage.js';
import type { Telemetry } from '../telemetry/telemetry.js';

/** Everything outside the process that activities touch. */
export interface Ports {
  storage: Storage;
  media: Media;
  compute: Record<ComputeKind, ComputeProvider>;
  inspectModel: ModelInspector;
  telemetry: Telemetry;
  notices: Notices;
  /** Frames that one activity splits or stitches at most; by the size of a frame when left out. */
  chunkFrames?: number | undefined;
  tempFolder: string;
  /** Bytes that are left on the disk of the storage, where that is this machine's. */
  freeBytes?: (() => Promise<number>) | undefined;
  bundledModels: string;
  /** What containers cost; without it, as far as this version knows. */
  prices?: PriceTable | undefined;
  /** How much runs at once; without it, as much as there is. */
  limits?: AdmissionLimits | undefined;
  /** What a caller may have done in a day; without it, as much as there is. */
  dailyLimits?: DailyLimits | undefined;
  /** Whether callers are kept apart. */
  ownership?: boolean;
  /** What reads and writes pictures, where the settings say it. */
  codec?: string | undefined;
  /** Fetches the videos of jobs that name a URL; without it, none are. */
  urls?: Urls | undefined;
  /** Aborted when the job of the activity is stopped. */
  signal?: AbortSignal | undefined;
}

/** What an activity gets beside its input: the host's trace. Absent where no host has called it. */
export type Invocation = Pick<InvocationContext, 'traceContext'>;
