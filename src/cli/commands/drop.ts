import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import pMap from 'p-map';
import type { MediaState } from '../../api/inbox.js';
import { isInboxName } from '../../api/uploads.js';
import { JobError, unbroken } from '../../job/failure.js';
import { whatStarts } from '../../job/inbox/what-starts.js';
import type { OtherKind } from '../../job/items/formats.js';
import { LeftOut } from '../../job/items/left-out.js';
import { poll } from '../../poll.js';
import type { JobClient } from '../client/client.js';
import { type AppChoice, findApp } from '../client/connect.js';
import { addExamples, addJson, addPlace, type Around, type Define, type Place, sampleOf } from '../around.js';
import { createProgressView } from '../score/progress-view.js';
import { followJob } from '../score/run-job.js';

export const define: Define = (command, around) => {
  command
    .argument('<files...>', 'the files, or folders whose files are meant')
    .option('--folder <name>', 'folder of the inbox; by default its top');
  addPlace(addJson(command, 'print a line of JSON for each job that has ended'), around).action(
    (files: string[], flags: Place & Pick<DropOptions, 'folder'>) =>
      drop({ ...flags, ...around, files: files.map(around.resolve), stream: process.stderr }),
  );
  addExamples(
    command,
    ['upload a video, which starts a job where _defaults.json of the inbox names a model', sampleOf(around)],
    ['a folder with a job file in it, into a folder of the inbox', 'holiday', '--folder', 'holiday'],
  );
};

export interface DropOptions
  extends Pick<AppChoice, 'url' | 'key' | 'data' | 'signal'>, Pick<Around, 'env' | 'json' | 'print' | 'note'> {
  /** Files, and folders whose files are meant. */
  files: string[];
  /** Folder of the inbox; by default its top. */
  folder?: string;
  /** Takes the progress. */
  stream: NodeJS.WriteStream;
}

const HOW_CALLED =
  'name a copy without %, ?, #, control characters, and a dot at its end, or start its job with "score", which takes any name.';
const UPLOADS = 8;
const LOOK_MS = 500;
/** A job that waits for no other takes a moment to start. */
const PATIENT_LOOKS = 10;
/** An app that is started again is away for some seconds. */
const SILENCE_MS = 60_000;
/** How long a local stack may take to see what has come; Azure's events take seconds, and its sweep ten minutes. */
const UNSEEN_MS = 660_000;

/**
 * Uploads files into the inbox, as any storage tool would, and follows the jobs that they start, one after another.
 * @throws JobError `user` when a file cannot be read, no app runs, or a file starts no job that should; `platform` when a job fails so.
 */
export async function drop(options: DropOptions): Promise<void> {
  const { folder, json, print, note, signal } = options;
  const say = json ? note : print;
  const leftOut = new LeftOut();
  const files = inOrder(await filesOf(options.files, leftOut));
  if (files.length === 0) {
    const found = leftOut.summary();
    const but = found === 'nothing' ? '' : `, but ${found}`;
    throw new JobError('user', `There is no file in what was named${but}; name files, or folders with files.`);
  }
  // What is refused is refused before anything is uploaded.
  for (const file of files)
    if (!isInboxName(path.basename(file)))
      throw new JobError('user', `No file in the inbox can be called "${path.basename(file)}"; ${HOW_CALLED}`);
  const client = await findApp(options);
  const upload = (file: string) => {
    signal.throwIfAborted();
    return client.drop(file, folder);
  };
  const [others, starting] = [files.filter((file) => !starts(file)), files.filter(starts)];
  await pMap(others, upload, { concurrency: UPLOADS });
  const starters: { path: string; etag: string }[] = [];
  for (const file of starting) starters.push(await upload(file));
  say(unbroken(`${files.length === 1 ? (files[0] ?? '') : `${files.length} files`} uploaded to inbox/${folder ?? ''}`));
  for (const sentence of leftOut.warnings()) say(unbroken(sentence));
  if (starters.length === 0) say('Nothing of it starts a job: a video, a job file or _READY would.');
  for (const stored of starters) await follow(client, stored, options);
}

const HIDDEN_FILE: OtherKind = { one: 'a hidden file', noun: 'hidden file', advice: 'name it to upload it' };
const SPECIAL_FILE: OtherKind = { one: 'a special file', noun: 'special file', advice: 'store what comes out of it' };
const FOLDER_BELOW: OtherKind = { one: 'a folder', noun: 'folder', advice: 'drop it on its own, with --folder' };

/** The files themselves, and those that lie directly in a folder. @param leftOut counts what else is in there. */
async function filesOf(named: string[], leftOut: LeftOut): Promise<string[]> {
  const found = named.map(async (file) => {
    const facts = await stat(file).catch((cause: unknown) => {
      throw new JobError('user', `There is no file ${file}.`, { cause });
    });
    if (!facts.isDirectory()) return [file];
    const inside: string[] = [];
    for (const name of await readdir(file)) {
      const below = path.join(file, name);
      // What cannot be found is said by its upload.
      const entry = await stat(below).catch(() => undefined);
      if (entry?.isDirectory() === true) leftOut.add(`${name}/`, FOLDER_BELOW);
      else if (name.startsWith('.')) leftOut.add(name, HIDDEN_FILE);
      else if (entry?.isFile() === false) leftOut.add(name, SPECIAL_FILE);
      else inside.push(below);
    }
    return inside;
  });
  return (await Promise.all(found)).flat();
}

const starterOf = (file: string) => whatStarts(path.basename(file));
const starts = (file: string) => starterOf(file) !== undefined;

/** Last comes what says that all is there. */
function inOrder(files: string[]): string[] {
  const rank = (file: string) => (starterOf(file) === 'video' ? 0 : 1);
  return files.toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

async function follow(
  client: JobClient,
  stored: { path: string; etag: string },
  { env, signal, stream, json, print, note }: DropOptions,
): Promise<void> {
  const media = await decision(client, stored, { signal, say: json ? note : print });
  if (media.job === null || media.state !== 'started')
    throw new JobError(
      'user',
      `${stored.path} starts no job: ${media.message ?? 'nobody has seen it; see that the app runs.'}`,
    );
  const { job } = media;
  const view = createProgressView(stream, { quiet: json, unit: 'items', env });
  const watching = {
    patience: SILENCE_MS,
    signal,
    lost: new AbortController().signal,
    renamed: [],
    interrupted: () => Promise.reject(new JobError('user', `Interrupted; job ${job} goes on.`)),
  };
  try {
    const { output } = await followJob(client, job, view, watching);
    view.end();
    print(
      json
        ? JSON.stringify({ file: stored.path, job, output })
        : unbroken(`Job ${job} is done: ${output ?? 'it has no output'}`),
    );
  } finally {
    view.end();
  }
}

/** Waits until it is known what becomes of a file. */
async function decision(
  client: JobClient,
  stored: { path: string; etag: string },
  { signal, say }: { signal: AbortSignal; say: (line: string) => void },
): Promise<MediaState> {
  let last: MediaState = { state: 'unseen', job: null, message: null };
  let waits = 0;
  const look = async () => {
    signal.throwIfAborted();
    const media = await client.media(stored);
    if (media.state === 'waiting') waits += 1;
    if (waits === PATIENT_LOOKS) say(unbroken(`${stored.path} waits for other jobs.`));
    last = media;
    return media.state === 'unseen' || media.state === 'waiting' ? undefined : media;
  };
  // One that waits is seen, and waits as long as others run.
  for (;;) {
    const decided = await poll(look, { pauseMs: LOOK_MS, wake: signal, withinMs: UNSEEN_MS });
    if (decided) return decided;
    if (last.state === 'unseen') return last;
  }
}
