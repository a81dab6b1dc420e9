import { expect, test } from 'vitest';
import { createLocalCompute } from '../../../../src/compute/local/provider.js';

test('a launch that is delivered once more while it is under way joins the first one, and begins anew when that has failed', async () => {
  const compute = createLocalCompute({});
  let confirmed = 0;
  const confirm = () => {
    confirmed += 1;
    return Promise.reject(new Error('no'));
  };
  const place = { jobId: 'job', batch: 0, attempt: 1, deadline: 0, parallel: 8, environment: {} };
  const launch = () => compute.launch({ name: 'job-b0-a1', ...place, confirm });
  const both = await Promise.allSettled([launch(), launch()]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(confirmed).toBe(1);
  await expect(launch()).rejects.toThrow('no');
  expect(confirmed).toBe(2);
});
