import { fileKindByName, type OtherKind, VIDEO } from '../../job/items/formats.js';
import { counted } from '../words.js';

/** A file that the user has chosen, and its path below what was chosen, as in `holidays/2026/beach.jpg`. */
export interface Chosen {
  path: string;
  file: File;
}

/** What a job can score. */
export type Picked =
  | { kind: 'video'; name: string; bytes: number; file: File }
  | {
      kind: 'images';
      /** Of the folder. */
      name: string;
      bytes: number;
      /** By their names below the folder, in the order of these. */
      images: Chosen[];
      /** What was left out and why, a sentence for each kind. */
      leftOut: string[];
    };

/** What the user can choose next, where what was chosen is nothing for a job. */
export interface NotPicked {
  problem: string;
}

/** Makes of what was chosen or dropped what a job scores: one video, or all pictures of a folder and its sub-folders. */
export function pick(chosen: readonly Chosen[]): Picked | NotPicked {
  const seen = chosen.filter(({ path }) => !isHidden(path));
  const videos = seen.filter(({ path }) => fileKindByName(path) === VIDEO);
  const images = seen.filter(({ path }) => fileKindByName(path) === 'picture');
  const [video] = videos;
  if (video && images.length > 0)
    return { problem: `These are ${both(videos.length, images.length)}; choose one video, or pictures alone.` };
  if (video && videos.length > 1)
    return { problem: `These are ${videos.length} videos; a job takes one, so start a job for each.` };
  if (video) return { kind: 'video', name: leaf(video.path), bytes: video.file.size, file: video.file };
  if (images.length === 0) return { problem: nothingIn(chosen) };
  const folder = folderOf(images);
  const below = images.map(({ path, file }) => ({ path: folder === '' ? path : path.slice(folder.length + 1), file }));
  return {
    kind: 'images',
    name: folder === '' ? 'pictures' : leaf(folder),
    bytes: images.reduce((sum, { file }) => sum + file.size, 0),
    images: below.toSorted((one, other) => (one.path < other.path ? -1 : 1)),
    leftOut: leftOutOf(chosen),
  };
}

const isHidden = (path: string) => path.split('/').some((part) => part.startsWith('.'));
const HIDDEN: Pick<OtherKind, 'noun' | 'advice'> = {
  noun: 'hidden file',
  advice: 'rename it without the dot to have it scored',
};

const both = (videos: number, images: number) => `${counted(videos, 'video')} and ${counted(images, 'picture')}`;
const leaf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

/** The folder that all are in; '' for files without one. */
function folderOf(files: readonly Chosen[]): string {
  const [first = '', ...others] = files.map(({ path }) => path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  let common = first.split('/');
  for (const other of others) {
    const parts = other.split('/');
    const differs = common.findIndex((part, index) => part !== parts[index]);
    if (differs >= 0) common = common.slice(0, differs);
  }
  return common.join('/');
}

function nothingIn(files: readonly Chosen[]): string {
  if (files.length === 0) return 'There is no file in it that a job could score; choose a video or pictures.';
  const [first = ''] = leftOutOf(files);
  return `There is no video and no picture in it${first === '' ? '' : `. ${first}`}`;
}

/** `2 HEIC files are left out: convert them …`. */
function leftOutOf(files: readonly Chosen[]): string[] {
  const kinds = new Map<Pick<OtherKind, 'noun' | 'advice'>, number>();
  let others = 0;
  for (const { path } of files) {
    const kind = fileKindByName(path);
    const isMedia = kind === 'picture' || kind === VIDEO;
    if (isMedia && !isHidden(path)) continue;
    const why = isMedia ? HIDDEN : kind;
    if (why === undefined) others += 1;
    else kinds.set(why, (kinds.get(why) ?? 0) + 1);
  }
  const told = [...kinds].map(
    ([{ noun, advice }, count]) =>
      `${counted(count, noun)} ${count === 1 ? 'is' : 'are'} left out: ${advice.replaceAll(/\bit\b/g, count === 1 ? 'it' : 'them')}.`,
  );
  const rest = others === 0 ? [] : [`${counted(others, 'other file')} ${others === 1 ? 'is' : 'are'} left out.`];
  return [...told, ...rest];
}

/** What was dropped, as the browser tells it while it is: afterwards it says nothing any more. */
export type Dropped = (FileSystemEntry | File)[];

export const droppedIn = ({ items }: DataTransfer): Dropped =>
  [...items].flatMap((item) => item.webkitGetAsEntry() ?? item.getAsFile() ?? []);

/** All files of what was dropped, those in folders as well. */
export async function filesIn(dropped: Dropped): Promise<Chosen[]> {
  const found = await Promise.all(
    dropped.map(async (each) => (each instanceof File ? [{ path: each.name, file: each }] : filesBelow(each))),
  );
  return found.flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<Chosen[]> {
  const path = entry.fullPath.replace(/^\//, '');
  if (isFile(entry)) return [{ path, file: await new Promise<File>((...done) => entry.file(...done)) }];
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const inside: FileSystemEntry[] = [];
  // It gives a hundred at a time.
  for (let some; some === undefined || some.length > 0;) {
    some = await new Promise<FileSystemEntry[]>((...done) => reader.readEntries(...done));
    inside.push(...some);
  }
  const found: Chosen[] = [];
  for (const each of inside) found.push(...(await filesBelow(each)));
  return found;
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;

/** What a file input has: of a folder each file with its path. */
export const filesOf = (list: FileList | null): Chosen[] =>
  [...(list ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** What uploads may be called (`src/api/uploads.ts`); what the user calls it is shown as it is. */
export function uploadName(name: string): string {
  const ending = /\.[A-Za-z0-9]{1,16}$/.exec(name)?.[0] ?? '';
  const clean = name
    .slice(0, name.length - ending.length)
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9_-]+$/g, '')
    .slice(0, 60);
  return `${clean || 'file'}${ending}`;
}
