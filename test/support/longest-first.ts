import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Seconds of files that take far longer than their size says, on a quiet machine with two cores. Where no earlier run has told how long each
 * takes, Vitest begins with the largest, and a run would end with one worker at the longest of them and the others idle.
 */
const LONG: Record<string, number> = {
  'chaos/jobs/azure-faults': 102,
  'chaos/jobs/told': 60,
  'chaos/infra/scorer-image': 99,
  'chaos/stack/endings': 84,
  'chaos/jobs/azure': 80,
  'chaos/jobs/apps-matrix': 79,
  'chaos/stack/soak': 45,
  'chaos/jobs/killed-scorers': 67,
  'chaos/jobs/aci-matrix': 56,
  'chaos/cli/go-on': 55,
  'chaos/jobs/let-go': 49,
  'chaos/cli/clean': 47,
  'chaos/jobs/recovery': 46,
  'chaos/scorer/models': 46,
  'chaos/scorer/all-models': 45,
  'chaos/telemetry/insights': 43,
  'chaos/jobs/deadly-items': 42,
};

const secondsOf = ({ moduleId }: TestSpecification) =>
  LONG[/([^/]+\/[^/]+\/[^/]+)\.test\.ts$/.exec(moduleId)?.[1] ?? ''] ?? 0;

/** Begins with the files that take longest. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- it is a method of the base class, and sorts no array in place
    const sorted = await super.sort(files);
    const order = new Map(sorted.map((file, at) => [file.project.name, at] as const).toReversed());
    const projectAt = ({ project }: TestSpecification) => order.get(project.name) ?? 0;
    return sorted.toSorted((a, b) => projectAt(a) - projectAt(b) || secondsOf(b) - secondsOf(a));
  }
}
