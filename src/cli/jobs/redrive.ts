import { JobError, unbroken } from '../../job/failure.js';
import { addExamples, addJson, addPlace, type Around, type Define, type Place } from '../around.js';
import { EMULATED, findApp, idOf, LATEST, orAskScore } from '../client/connect.js';
import { addChanges, type ChangeFlags, changesOf } from '../score/changes.js';

interface Flags extends Place, ChangeFlags {
  fromScratch?: boolean;
  watch?: boolean;
}

export const define: Define = (command, around) => {
  command.argument('<job>', `the id of the job, or "${LATEST}"`);
  addChanges(command)
    .option('--from-scratch', 'throw away what is scored, and score everything again')
    .option('--watch', 'follow the job to its end');
  addPlace(addJson(command), around).action((job: string, flags: Flags) => redrive(job, flags, around));
  addExamples(
    command,
    ['score only what is missing of the latest job, and follow it', LATEST, '--watch'],
    ['on one container at a time, and two items may fail', LATEST, '--max-parallel', '1', '--tolerate', '2'],
    ['everything again', LATEST, '--from-scratch'],
  );
};

async function redrive(job: string, flags: Flags, around: Around): Promise<void> {
  const { json, note, print, signal } = around;
  const { url, data, fromScratch, watch } = flags;
  const emulated = [flags.compute, ...(flags.fallback ?? [])].find((each) => each?.split(':')[0]?.endsWith(EMULATED));
  if (emulated !== undefined && url !== undefined)
    throw new JobError('user', `The compute ${emulated} runs on this machine only; leave it or --url out.`);
  try {
    const client = await findApp({ ...flags, signal });
    const id = await idOf(client, job);
    const answer = await client.redrive(id, { ...changesOf(flags), ...(fromScratch === true && { fromScratch }) });
    if (json) print(JSON.stringify(answer, null, watch === true ? undefined : 2));
    else (watch === true ? note : print)(unbroken(answer.message));
    if (watch !== true) return;
    const { watchJob } = await import('./watch.js');
    await watchJob(id, flags, around);
  } catch (error) {
    throw await orAskScore({ url, data, job }, error);
  }
}
