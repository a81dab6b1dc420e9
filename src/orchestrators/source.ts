import type { OrchestrationContext } from 'durable-functions';
import type { Prepared, StitchResult } from '../activities/inputs.js';
import type { Outcome } from '../job/outcome.js';
import type { Stage } from '../job/progress.js';
import type { Step } from './calls.js';

/** What a job scores: how its items come about before scoring, and what becomes of their outputs afterwards. */
export interface Source {
  readonly opening: Stage;
  readonly closing: Stage;
  open(
    context: OrchestrationContext,
    jobId: string,
    prepared: Prepared,
  ): Step<Outcome<{ items: number; warnings: string[] }>>;
  close(context: OrchestrationContext, jobId: string, items: number, prepared: Prepared): Step<Outcome<StitchResult>>;
}
