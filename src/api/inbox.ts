/** Answer of `GET /api/inbox?path=&etag=`: what has become of a version of a blob of the inbox. */
export interface MediaState {
  /**
   * `unseen`: its event has not come yet. `waiting`: it starts a job when there is room. `started`: it has started one. `refused`: it
   * starts none, and the quarantine says why. `alone`: nothing is done about it.
   */
  state: 'unseen' | 'waiting' | 'started' | 'refused' | 'alone';
  /** Id of its job, as soon as that is decided. */
  job: string | null;
  /** Why it starts no job. */
  message: string | null;
}
