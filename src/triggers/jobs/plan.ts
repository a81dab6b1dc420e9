import type { JobPlan, PlanRequest } from '../../activities/prepare/plan-job.js';
import type { Ports } from '../../activities/ports.js';
import type { Plan } from '../../api/plan.js';
import { checkSpecSize, inputOf, makeJobId, parsePlanned } from '../../job/spec.js';
import { requireInputs } from '../../job-store/inputs.js';
import type { Callers } from '../callers.js';
import { randomId } from '../jobs.js';
import { checkOwn } from './start-job.js';

/**
 * `POST /api/plan`: what the job of this specification would take. It refuses what `POST /api/jobs` and the preparation of the job would
 * refuse, but for too much that runs, in the same words; it starts nothing and keeps nothing.
 */
export function createPlan(
  ports: Pick<Ports, 'storage' | 'bundledModels' | 'urls'> & {
    callers: Callers;
    planJob: (request: PlanRequest) => Promise<JobPlan>;
  },
) {
  const { callers, planJob } = ports;
  return callers.known(async (request, _, caller) => {
    checkSpecSize(Number(request.headers.get('content-length') ?? 0));
    const { spec, items } = parsePlanned(await request.text());
    await checkOwn(callers, caller, spec);
    await requireInputs(ports, spec);
    const planId = makeJobId(inputOf(spec), randomId());
    const owner = caller.sees === 'own' ? caller.id : undefined;
    return { jsonBody: (await planJob({ planId, spec, items, owner })) satisfies Plan };
  });
}
