/** The sentence for a job with more failed items than it tolerates; `why` says what happened to one of them. */
export function tooManyFailed(failed: number, tolerated: number, why: string): string {
  const items = failed === 1 ? '1 item' : `${failed} items`;
  return `${items} could not be scored and tolerate.failedItems is ${tolerated} (${why}).`;
}
