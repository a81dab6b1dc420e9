import type { Define } from './around.js';

interface Listed {
  name: string;
  /** An earlier name. */
  alias?: string;
  does: string;
  /** Loads the file of the command: only the one that is asked for. */
  load: () => Promise<{ define: Define }>;
}

/** All commands, in the order and under the headings in which the help shows them. */
export const COMMANDS: Record<string, Listed[]> = {
  'Score:': [
    {
      name: 'score',
      does: 'run a video or a folder of images through a model and save what comes out',
      load: () => import('./score/score.js'),
    },
    {
      name: 'plan',
      does: 'tell what a "score" would take, in time and money, before anything is spent',
      load: () => import('./commands/plan.js'),
    },
    {
      name: 'demo',
      does: 'run the bundled sample through the bundled model',
      load: () => import('./commands/demo.js'),
    },
    {
      name: 'drop',
      does: 'upload files into the inbox of the app, and follow the jobs that they start',
      load: () => import('./commands/drop.js'),
    },
  ],
  'Jobs:': [
    {
      name: 'jobs',
      does: 'list the jobs, the newest first, and what each of them does',
      load: () => import('./jobs/jobs.js'),
    },
    { name: 'status', does: 'tell in words how a job stands', load: () => import('./jobs/status.js') },
    { name: 'watch', does: 'follow a job to its end', load: () => import('./jobs/watch.js') },
    { name: 'logs', does: "show what a job's containers have said", load: () => import('./jobs/logs.js') },
    {
      name: 'frames',
      does: 'save the frames of a job that kept them, or that has not ended',
      load: () => import('./jobs/frames.js'),
    },
    { name: 'cancel', does: 'end jobs; what they have scored is kept', load: () => import('./jobs/cancel.js') },
    {
      name: 'redrive',
      does: 'start a job once more, for what it has not scored',
      load: () => import('./jobs/redrive.js'),
    },
    { name: 'open', does: 'open the page of the app, of a job or of a batch', load: () => import('./jobs/open.js') },
  ],
  'Models:': [
    {
      name: 'models',
      alias: 'model',
      does: 'list models, look into one, and try it on one picture',
      load: () => import('./commands/model.js'),
    },
  ],
  'This machine:': [
    {
      name: 'start',
      does: 'run the local stack (Azurite, the Functions host, local compute) until Ctrl-C',
      load: () => import('./commands/start.js'),
    },
    {
      name: 'doctor',
      does: 'look at this machine and at what is set up, for yourself and for a bug report',
      load: () => import('./commands/doctor.js'),
    },
    {
      name: 'clean',
      does: 'list what ended jobs have left in the data of the local stack, and remove it with --yes',
      load: () => import('./commands/clean.js'),
    },
  ],
};
