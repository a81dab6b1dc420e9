import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { addData, addExamples, addJson, type Around, type Define } from '../around.js';
import { APP_FOLDER, IS_CHECKOUT } from '../installed.js';
import { runVideo } from '../score/score.js';

export const define: Define = (command, around) => {
  addJson(addData(command, around), 'print the summary as JSON and nothing else').action((flags: Flags) =>
    demo(flags, around),
  );
  addExamples(
    command,
    ['paint the bundled video, and see where the result is'],
    ['the same for a program that reads the summary', '--json'],
  );
};

interface Flags {
  data: string;
  json?: boolean;
}

async function demo({ data, json: quiet = false }: Flags, around: Around): Promise<void> {
  const { env, resolve, signal, note, print } = around;
  const folder = path.join(IS_CHECKOUT ? APP_FOLDER : resolve('.'), 'out');
  await mkdir(folder, { recursive: true });
  const base = path.join(folder, 'coast-starry-night');
  await runVideo(
    {
      video: path.join(APP_FOLDER, 'samples/coast.mp4'),
      model: 'starry-night',
      base,
      contactSheet: `${base}.contact-sheet.png`,
      overwrite: true,
      data,
      quiet,
      env,
      signal,
      note,
    },
    print,
  );
}
