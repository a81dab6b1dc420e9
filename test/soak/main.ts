/**
 * Runs jobs on all three computes while the parts of the stack are killed, storage and Azure go wrong and the disk is full, and holds
 * what each job leaves against a run that nothing befell: `npm run soak -- --minutes 60`. Prints a line per round, and ends with 1 when
 * anything was lost, wrong or leaked. `--seed 7 --round 12` runs round 12 of seed 7 again.
 */
import { Command, InvalidArgumentError } from 'commander';
import { messageOf } from '../../src/job/failure.js';
import type { Delivered } from './check.js';
import { type JobKind, prepareJobs, type SpecOf } from './jobs.js';
import { type Round, runRound, runUndisturbed } from './round.js';
import { STRIKES } from './strikes.js';
import { startWorld, type World } from './world.js';

/** Then the stack begins anew on an empty disk. */
const ROUNDS_PER_WORLD = 20;

interface Stage {
  world: World;
  specOf: SpecOf;
}

const parse = (least: number) => (text: string) => {
  const number = text.trim() === '' ? NaN : Number(text);
  if (!(number >= least)) throw new InvalidArgumentError(`It must be a number of at least ${least}.`);
  return number;
};

const {
  minutes,
  seed,
  round: only,
} = new Command('soak')
  .description('Runs jobs while everything that can fail does, and checks what they leave.')
  .option('--minutes <number>', 'for how long new rounds begin', parse(0), 2)
  .option('--seed <number>', 'decides what befalls which jobs', parse(0), Date.now() % 100_000)
  .option('--round <number>', 'runs this round alone', parse(0))
  .showHelpAfterError('(add --help for the options)')
  .parse()
  .opts<{ minutes: number; seed: number; round?: number }>();

const began = performance.now();
const rounds: Round[] = [];
let undisturbed: Map<JobKind, Delivered> | undefined;
let stage: Stage | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    summarize();
    void leave(false).finally(() => process.exit(130));
  });

console.log(`Seed ${seed}, ${minutes} minutes.`);
for (let round = only ?? 0; ; round += 1) {
  const result = await play(round);
  rounds.push(result);
  const problems = problemsOf(result);
  const isLast = only !== undefined || performance.now() - began > minutes * 60_000;
  // What a lost job still does is no matter of the next round.
  if (isLast || problems.length > 0 || (round + 1) % ROUNDS_PER_WORLD === 0)
    result.leaked.push(...(await leave(problems.length > 0)));
  console.log(
    [
      lineOf(round, result),
      ...problemsOf(result).map((problem) => `  ${problem} (--seed ${seed} --round ${round})`),
    ].join('\n'),
  );
  if (isLast) break;
}
process.exitCode = summarize() ? 1 : 0;

async function play(round: number): Promise<Round> {
  try {
    stage ??= await enter();
    undisturbed ??= await runUndisturbed(stage.world, stage.specOf);
    return await runRound(stage.world, { seed, round, specOf: stage.specOf, undisturbed });
  } catch (error) {
    const lost = [messageOf(error)];
    return { jobs: 0, strikes: [], lost, wrong: [], leaked: [], recoveries: [], seconds: 0, story: 'could not be run' };
  }
}

async function enter(): Promise<Stage> {
  const world = await startWorld(seed);
  stage = { world, specOf: await prepareJobs(world) };
  if (!world.fillDisk)
    console.log('The disk is never filled: on Linux root can give the stack a small one, here nobody.');
  return stage;
}

async function leave(keepLogs: boolean): Promise<string[]> {
  const { world } = stage ?? {};
  stage = undefined;
  const left = (await world?.end(keepLogs)) ?? [];
  if (world && keepLogs) console.log(`  The logs of the stack are in ${world.folder}-logs.`);
  return left.map((pid) => `process ${pid} outlived its stack`);
}

function problemsOf({ lost, wrong, leaked }: Round): string[] {
  return [
    ...lost.map((each) => `LOST ${each}`),
    ...wrong.map((each) => `WRONG ${each}`),
    ...leaked.map((each) => `LEAKED ${each}`),
  ];
}

function lineOf(round: number, { story, seconds, recoveries }: Round): string {
  const worst = recoveries.length > 0 ? `, went on after ${Math.max(...recoveries).toFixed(1)} s` : '';
  return `round ${round}: ${story}; ${seconds.toFixed(1)} s${worst}`;
}

/** Prints what the whole run came to. @returns whether anything is not as it must be. */
function summarize(): boolean {
  const sum = (of: (round: Round) => number) => rounds.reduce((total, round) => total + of(round), 0);
  const recoveries = rounds.flatMap((round) => round.recoveries).toSorted((one, other) => one - other);
  const strikes = rounds.flatMap((round) => round.strikes);
  const median = recoveries[Math.floor(recoveries.length / 2)];
  const rows: [string, string | number][] = [
    ['rounds', rounds.length],
    ['jobs', sum(({ jobs }) => jobs)],
    ...STRIKES.map((kind): [string, number] => [kind, strikes.filter((each) => each === kind).length]),
    ['lost', sum(({ lost }) => lost.length)],
    ['wrong', sum(({ wrong }) => wrong.length)],
    ['leaked', sum(({ leaked }) => leaked.length)],
    ['median recovery, s', median?.toFixed(1) ?? '-'],
    ['worst recovery, s', recoveries.at(-1)?.toFixed(1) ?? '-'],
  ];
  for (const [what, value] of rows) console.log(`${what.padEnd(20)}${String(value).padStart(8)}`);
  return rounds.flatMap(problemsOf).length > 0;
}
