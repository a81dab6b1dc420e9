import { endingOf } from '../../job/items/formats.js';

/** A kind of file that an output can be. What it holds besides its picture, its muxer is asked: see rehearse.ts. */
export interface Container {
  muxer: 'mp4' | 'mov' | 'matroska' | 'webm';
  /** Whether players expect plain PCM in it. */
  pcm: boolean;
  /** The encoder for sound that comes in a file of its own and that it cannot hold; absent where it holds all. */
  sound?: string;
  /** The codec that text subtitles are converted to, except those that match `keeps`, which are copied. */
  text: string;
  keeps: RegExp;
}

const MP4: Container = { muxer: 'mp4', pcm: false, sound: 'aac', text: 'mov_text', keeps: /^mov_text$/ };

const CONTAINERS: Record<string, Container> = {
  '.mp4': MP4,
  '.m4v': MP4,
  '.mov': { ...MP4, muxer: 'mov', pcm: true },
  '.mkv': { muxer: 'matroska', pcm: true, text: 'srt', keeps: /^(subrip|ass|ssa)$/ },
  '.webm': { muxer: 'webm', pcm: false, sound: 'libopus', text: 'webvtt', keeps: /^webvtt$/ },
};

/** The kind of file that the ending of a name asks for; undefined for one that the app does not write. */
export const containerOf = (name: string): Container | undefined => CONTAINERS[endingOf(name)];

export const isMatroska = ({ muxer }: Container) => muxer === 'matroska' || muxer === 'webm';
export const isMp4 = ({ muxer }: Container) => muxer === 'mp4' || muxer === 'mov';
