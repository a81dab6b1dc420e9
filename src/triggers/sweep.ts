import type { TimerHandler } from '@azure/functions';
import type { Ports } from '../activities/ports.js';
import type { Launched } from '../compute/provider.js';
import { messageOf } from '../job/failure.js';
import { MANIFEST } from '../storage/layout.js';
import { jobOf, type Storage } from '../storage/storage.js';

/**
 * Removes the containers that no living job owns: their job has written its manifest, which it does last, or their deadline
 * has passed. A job removes its containers itself; this is for jobs that were terminated or lost with their host.
 */
export function createSweep({ storage, compute }: Pick<Ports, 'storage' | 'compute'>): TimerHandler {
  return async (_, context) => {
    for (const [kind, provider] of Object.entries(compute)) {
      try {
        for (const container of await provider.list()) {
          const why = await whyRemove(storage, container, Date.now());
          if (why === undefined) continue;
          await provider.remove(container.name);
          context.warn(`sweep: removed the ${kind} container ${container.name}: ${why}`);
        }
      } catch (error) {
        // One compute that is away must not keep the others from being swept; the next run tries again.
        context.error(`sweep: ${kind}: ${messageOf(error)}`);
      }
    }
  };
}

async function whyRemove(storage: Storage, { jobId, deadline }: Launched, now: number): Promise<string | undefined> {
  if (deadline > 0 && deadline < now) return `its deadline ${new Date(deadline).toISOString()} has passed`;
  if (jobId === '') return undefined;
  return (await jobOf(storage, jobId).getBlobClient(MANIFEST).exists()) ? `job ${jobId} has ended` : undefined;
}
