/** Names a run of a job. Whatever an orchestration calls belongs to its run. */
export interface OfRun {
  jobId: string;
  /** From 1; the first, when left out. */
  run?: number;
}
