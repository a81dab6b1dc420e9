import { describe, expect, test } from 'vitest';
import { nameBottleneck, type RunFacts } from '../../../../src/job/attempts/advice.js';
import { describeTime, TIME_USES, type TimeUse } from '../../../../src/job/attempts/bottleneck.js';
import { STAGES } from '../../../../src/job/progress.js';

const scoring = (use: TimeUse, more: Partial<RunFacts> = {}): string =>
  nameBottleneck({
    stages: { prepare: 2, split: 10, score: 80, stitch: 8 },
    time: describeTime({ start: 15, [use]: 285 }),
    ranOn: { local: 2 },
    batches: 2,
    lanes: 2,
    ...more,
  }) ?? '';

const stage = (name: (typeof STAGES)[number]) =>
  nameBottleneck({ stages: { prepare: 1, [name]: 99 }, time: null, ranOn: {}, batches: 0, lanes: 0 });

describe('the bottleneck of a job', () => {
  test('is unknown before anything took time', () => {
    const nothing = { time: null, ranOn: {}, batches: 0, lanes: 0 };
    expect(nameBottleneck({ stages: {}, ...nothing })).toBeNull();
    expect(nameBottleneck({ stages: { prepare: 0 }, ...nothing })).toBeNull();
  });

  test('is its longest stage, with the share of the time that it took', () => {
    expect(stage('stitch')).toMatch(/^99 % of the time went into making the output video/);
    expect(stage('split')).toMatch(/^99 % .* splitting the video/);
    expect(stage('list')).toMatch(/^99 % .* listing/);
    expect(stage('gather')).toMatch(/^99 % .* waiting for images/);
    for (const each of STAGES) expect(stage(each)).toMatch(/^(99|100) % of the time went into .*\.$/s);
  });

  test('is what containers did most of the time, where scoring took longest', () => {
    expect(scoring('inference')).toMatch(
      /^80 % of the time went into scoring, and 95 % of the containers' time is inference\./,
    );
    for (const use of TIME_USES)
      expect(scoring(use)).toMatch(/^80 % of the time went into scoring, and \d+ % of .*\.$/s);
  });

  test('is scoring alone where no container told of its time', () => {
    expect(scoring('inference', { time: null })).toMatch(/^80 % of the time went into scoring\.$/);
  });
});

describe('what would help', () => {
  test('an encoder that is quick', () => {
    expect(stage('stitch')).toMatch(/h264/);
    expect(stage('stitch')).toMatch(/quality small/);
  });

  test('a device or a machine where a model on this machine takes the time', () => {
    expect(scoring('inference')).toMatch(/GPU|device/);
    expect(scoring('inference')).toMatch(/cores/);
    // On this machine all cores are used already.
    expect(scoring('inference')).not.toMatch(/maxParallel/);
  });

  test('of a folder, nothing of videos', () => {
    const folder = { stages: { prepare: 2, list: 10, score: 80, collect: 8 } };
    for (const use of TIME_USES) expect(scoring(use, folder)).not.toMatch(/video|ppm/);
    expect(scoring('storage', folder)).toMatch(/frameFormat jpg where the model gives pictures/);
    expect(scoring('pictures', folder)).toMatch(/smaller pictures/i);
    expect(scoring('inference', { stages: { prepare: 90, list: 1 } })).not.toMatch(/video|URL/);
    const film = { stages: { prepare: 2, list: 10, score: 80, stitch: 8 } };
    expect(scoring('pictures', film)).toMatch(/ppm/);
  });

  test('more containers at once where Azure runs them and there are batches for them', () => {
    const azure = { ranOn: { 'aci in westeurope': 4 } };
    expect(scoring('inference', azure)).toMatch(/maxParallel above 2/);
    expect(scoring('inference', azure)).toMatch(/container-apps/);
    expect(scoring('inference', { ranOn: { 'container-apps': 4 } })).not.toMatch(/container-apps/);
    expect(scoring('inference', { ...azure, lanes: 100 })).not.toMatch(/maxParallel/);
  });

  test('a fallback, another region or quota where containers wait for capacity', () => {
    expect(scoring('place', { ranOn: { 'aci in westeurope': 4 } })).toMatch(/fallback.*region.*quota/s);
    expect(scoring('place')).not.toMatch(/fallback|quota/);
  });

  test('fewer containers with more items each where they start or load the model too often', () => {
    for (const use of ['image', 'start', 'model'] as const) {
      expect(scoring(use, { batches: 10, lanes: 2 })).toMatch(/larger batches \(size\)/);
      expect(scoring(use, { batches: 4, lanes: 4 })).toMatch(/maxParallel below 4/);
      // One container for all: nothing that a setting could change.
      expect(scoring(use, { batches: 1, lanes: 1 })).not.toMatch(/maxParallel|larger batches/);
    }
  });

  test('nothing of containers where a few minutes show that their places stood empty, but how to get more', () => {
    const empty = { stages: { score: 600 }, lanes: 4, batches: 40, time: describeTime({ inference: 300 }) };
    const said = scoring('inference', { ...empty, ranOn: { 'aci in westeurope': 40 } });
    expect(said).toMatch(/4 places for containers stood empty 88 % of the time/);
    expect(said).toMatch(/fallback/);
    const here = scoring('inference', { ...empty, ranOn: { local: 40 } });
    expect(here).toMatch(/stood empty/);
    expect(here).not.toMatch(/fallback|quota/);
    // In so short a time it is the pauses between looks.
    expect(
      scoring('inference', { ...empty, stages: { score: 20 }, time: describeTime({ inference: 10 }) }),
    ).not.toMatch(/empty/);
  });

  test('the logs, where containers were killed', () => {
    expect(scoring('unknown')).toMatch(/logs/);
  });
});
