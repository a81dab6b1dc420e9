import { describe, expect, test } from 'vitest';
import { hrefOf, readRoute, type Route } from '../../../src/page/route.js';

describe('the address of a view', () => {
  test.each<[string, Route]>([
    ['', { view: 'jobs' }],
    ['#', { view: 'jobs' }],
    ['#/', { view: 'jobs' }],
    ['#/jobs', { view: 'jobs' }],
    ['#/jobs/', { view: 'jobs' }],
    ['#/start', { view: 'start' }],
    ['#/jobs/coast-k3v9q2xa', { view: 'job', id: 'coast-k3v9q2xa' }],
    ['#/jobs/coast-k3v9q2xa/batches/0', { view: 'job', id: 'coast-k3v9q2xa', batch: 0 }],
    ['#/jobs/coast-k3v9q2xa/batches/2499', { view: 'job', id: 'coast-k3v9q2xa', batch: 2499 }],
    ['#/jobs/a%2Fb', { view: 'job', id: 'a/b' }],
    ['#/jobs/%E0%A4%A', { view: 'job', id: '%E0%A4%A' }],
    ['#/jobs/a/batches', { view: 'nowhere' }],
    ['#/jobs/a/batches/x', { view: 'nowhere' }],
    ['#/jobs/a/batches/-1', { view: 'nowhere' }],
    ['#/jobs/a/batches/1/2', { view: 'nowhere' }],
    ['#/start/more', { view: 'nowhere' }],
    ['#/<img src=x>', { view: 'nowhere' }],
  ])('%s leads to %o', (hash, route) => {
    expect(readRoute(hash)).toEqual(route);
  });

  test.each<Exclude<Route, { view: 'nowhere' }>>([
    { view: 'jobs' },
    { view: 'start' },
    { view: 'job', id: 'a/b?#%' },
    { view: 'job', id: 'coast', batch: 7 },
  ])('leads back to %o', (route) => {
    expect(readRoute(hrefOf(route))).toEqual(route);
  });
});
