import type { Notices } from '../../src/notices/send.js';

/** Tells nobody. */
export const NO_NOTICES: Notices = { usual: [], send: () => Promise.resolve() };
