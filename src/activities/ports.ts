import type { ComputeProvider } from '../compute/provider.js';
import type { ComputeKind } from '../job/compute-choice.js';
import type { Media } from '../media/media.js';
import type { ModelInspector } from '../scorer/engine/inspect/inspect.js';
import type { Storage } from '../storage/storage.js';

/** Everything outside the process that activities touch. */
export interface Ports {
  storage: Storage;
  media: Media;
  compute: Record<ComputeKind, ComputeProvider>;
  inspectModel: ModelInspector;
  /** Frames that one activity splits or stitches at most; by the size of a frame when left out. */
  chunkFrames?: number | undefined;
  tempFolder: string;
  bundledModels: string;
  /** Aborted when the job of the activity is stopped. */
  signal?: AbortSignal | undefined;
}
