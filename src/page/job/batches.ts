import { signal, type ReadonlySignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { BatchList, BatchRow, JobStatus } from '../../api/jobs.js';
import type { App } from '../app.js';
import { usePoll } from '../parts.js';

/** Batches change less often than anybody can see. */
const PAUSE_MS = 2000;

/** The batches of a job's latest run. What has not changed since the last answer does not travel again. */
export function useBatches(app: App, job: JobStatus | undefined): ReadonlySignal<BatchRow[]> {
  const { id = '', run = 0 } = job ?? {};
  const known = useMemo(createKnown, [id, run]);
  const isOver = job !== undefined && job.state !== 'running' && job.state !== 'queued';
  usePoll<BatchList>(
    app,
    `${id} ${run} ${isOver}`,
    async (etag, abort) => {
      if (id === '') return { data: NONE, etag: undefined };
      const since = known.next === '' ? '' : `?since=${encodeURIComponent(known.next)}`;
      const version = await app.connection.getSince<BatchList>(
        `jobs/${encodeURIComponent(id)}/batches${since}`,
        etag,
        abort,
      );
      if (version) known.take(version.data);
      return version;
    },
    () => (isOver || id === '' ? 'over' : PAUSE_MS),
  );
  return known.rows;
}

const NONE: BatchList = { run: 0, at: '', batches: [], next: '' };

function createKnown() {
  const byNumber = new Map<number, BatchRow>();
  const rows = signal<BatchRow[]>([]);
  const known = {
    rows,
    next: '',
    take: ({ batches, next }: BatchList) => {
      for (const row of batches) byNumber.set(row.batch, row);
      known.next = next;
      if (batches.length > 0) rows.value = [...byNumber.values()].toSorted((one, other) => one.batch - other.batch);
    },
  };
  return known;
}
