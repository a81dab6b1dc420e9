/** Errors only on stderr. */
export const QUIET = ['-hide_banner', '-loglevel', 'error'];

/** Every container that is read as a video. Playlists and scripts (HLS, concat, DASH, image sequences) would make ffmpeg open other files. */
const CONTAINERS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,nut,mxf';

/** Goes in front of any file that came from outside: no network, and no container that points elsewhere. */
export const UNTRUSTED = ['-protocol_whitelist', 'file,pipe', '-format_whitelist', CONTAINERS];

/** A local path as ffmpeg reads it: a name such as `http:x.mp4` or `-i.mp4` stays a file name. */
export const local = (file: string) => `file:${file}`;

/** Arguments that have no spaces in them, as a list. */
export const words = (text: string) => text.split(' ');
