/** What of the app a span or event is about: its cloud role. */
export type Role = 'app' | 'scorer' | 'host';

/** Names and values to filter by, such as `job`, `batch`, `attempt`, `model`, `device`, `compute` and `region`. */
export type Dimensions = Record<string, string>;

interface Common {
  /** 32 hexadecimal digits, the same for all of a job. */
  traceId: string;
  /** 16 hexadecimal digits, derived from what is reported: reported twice, it is the same. */
  id: string;
  /** The span below which this one hangs; absent at the root of a trace. */
  parentId?: string | undefined;
  name: string;
  role: Role;
  dimensions: Dimensions;
}

/** A stretch of time in a job's trace. */
export interface Span extends Common {
  type: 'span';
  /** `server`: a request that was answered; `consumer`: work that was taken on; `client`: a call to another part; `internal`: a step. */
  kind: 'server' | 'consumer' | 'client' | 'internal';
  /** ISO 8601 with milliseconds. */
  start: string;
  end: string;
  ok: boolean;
}

/** Something that happened once, with its numbers. */
export interface TelemetryEvent extends Common {
  type: 'event';
  /** ISO 8601 with milliseconds. */
  time: string;
  /** Seconds end in `Seconds`; counts have plain names. */
  measurements: Record<string, number>;
}

export type TelemetryRecord = Span | TelemetryEvent;

/** Takes records to somewhere. It never throws and never makes anybody wait; what it cannot deliver is lost. */
export interface Sink {
  report(records: TelemetryRecord[]): void;
  /** Ends when all that was reported has been delivered or given up. */
  flush(): Promise<void>;
}
