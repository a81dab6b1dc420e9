/** Answer of `GET /api/jobs/{id}/files`: some of the outputs of an image folder. */
export interface FileList {
  /** `name` is below the output prefix; `url` is readable for an hour. */
  files: { name: string; bytes: number; url: string }[];
  /** What to pass as `from` to get the next ones; null at the end. */
  next: string | null;
}
