/** Answer of `GET /api/caller`: who the app takes the caller for, and how much of the day is used. */
export interface CallerAnswer {
  /** Of the app, as in `0.1.0`. */
  version: string;
  id: string;
  /** `own`: callers are kept apart, and this one sees its own jobs alone. */
  sees: 'all' | 'own';
  /** What the caller has started today, by UTC; counted only where there are limits. */
  today: Record<'jobs' | 'items' | 'bytes', number>;
  /** Null: there is none. */
  limits: Record<'jobs' | 'items' | 'bytes', number | null>;
  /** ISO 8601. */
  nextDayAt: string;
}
