import type { JobList } from '../../src/api/jobs.js';

/** The small picture that the list of jobs shows of one of the latest jobs; null: none. */
export async function thumbnailOf(
  { url }: { url: string },
  id: string,
): Promise<{ type: string; bytes: Buffer } | null> {
  const { jobs } = (await (await fetch(`${url}/api/jobs?limit=100`)).json()) as JobList;
  const job = jobs.find((each) => each.id === id);
  if (!job) throw new Error(`Job ${id} is not among the latest hundred.`);
  if (job.thumbnail === null) return null;
  const answer = await fetch(job.thumbnail);
  return { type: answer.headers.get('content-type') ?? '', bytes: Buffer.from(await answer.arrayBuffer()) };
}
