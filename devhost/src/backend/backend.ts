import type { HistoryEvent, MessageBody, ParentTraceContext, RuntimeStatus } from '../protocol/history.js';
import type { ClientMessage } from '../protocol/client-message.js';

/**
 * Where a task hub keeps its state: everything the engine knows about storage. One host at a time works on a hub; what a
 * method has resolved for survives a crash of that host. test/support/backend-conformance.ts holds what every
 * implementation must do.
 */
export interface Backend {
  readonly hub: string;
  /**
   * Keeps other hosts away from the hub. `lost` is called once when that is no longer certain.
   * @throws UserFault when another host holds the hub.
   */
  hold(lost: (reason: string) => void): Promise<void>;
  /** Lets the next host take the hub at once. */
  release(): Promise<void>;
  readonly instances: Instances;
  readonly histories: Histories;
  readonly inbox: Inbox;
}

/** One row per instance: what clients see. It follows the history, which alone decides. */
export interface Instances {
  get(instanceId: string): Promise<InstanceRow | undefined>;
  /** Writes the whole row, whatever was there before. */
  put(row: InstanceRow): Promise<void>;
  /** Writes everything but the input and the trace context, which do not change during an execution. */
  update(row: InstanceRow): Promise<void>;
  /** Removes the row of an instance, if there is one. */
  remove(instanceId: string): Promise<void>;
  all(query: InstanceQuery): AsyncIterable<InstanceRow>;
  /** One page of at most `top` rows, and the token of the next page if there is one. */
  page(query: InstanceQuery, top: number, token: string | undefined): Promise<InstancePage>;
}

/** An instance as its row shows it. Texts are JSON, or plain text for reasons and errors. */
export interface InstanceRow {
  instanceId: string;
  name: string;
  version: string;
  executionId: string;
  status: RuntimeStatus;
  input: string | null;
  output: string | null;
  customStatus: string | null;
  createdTime: Date;
  lastUpdatedTime: Date;
  completedTime: Date | undefined;
  /** How often the id of a top-level instance was used before; null in executions that a parent or ContinueAsNew began. */
  generation: number | null;
  /** Null for an instance that a client started. */
  parentInstanceId: string | null;
  /** When the instance is to begin, if its client did not want it to begin at once. */
  startAt?: Date;
  parentTraceContext: ParentTraceContext | null;
}

/** All conditions must hold; no statuses means any. */
export interface InstanceQuery {
  idPrefix?: string;
  createdFrom?: Date;
  createdTo?: Date;
  statuses?: RuntimeStatus[];
}

export interface InstancePage {
  rows: InstanceRow[];
  next: string | undefined;
}

/** The events of each instance's current execution, and the messages that wait to become part of them. */
export interface Histories {
  /** Reads the current execution as it stands, a checkpoint under way included. */
  read(instanceId: string): Promise<StoredHistory>;
  /** Loads the current execution for its one writer. What an interrupted checkpoint left behind is removed. */
  load(instanceId: string): Promise<StoredHistory>;
  /**
   * Adds a turn and removes the parked messages it has taken in: all of it or, for whoever loads the history, nothing.
   * Returns the new ETag.
   * @throws HistoryConflict when the history has moved on since `etag`. That includes a checkpoint of one's own that was
   * stored while its answer was lost: only loading the history tells.
   */
  append(checkpoint: Checkpoint): Promise<string>;
  /** Makes a message durable before anyone is told so; returns the key by which a checkpoint consumes it. */
  park(instanceId: string, body: MessageBody, executionId?: string): Promise<string>;
  /** Does the same with a message that was taken from the inbox; one that is taken again is parked under the same key. */
  parkTaken(instanceId: string, body: MessageBody, from: Taken): Promise<string>;
  /** Removes the history, the parked messages and the long texts of an instance; its row stays. */
  clear(instanceId: string): Promise<void>;
  /** As `clear`, for many instances that have ended. */
  clearAll(instanceIds: readonly string[]): Promise<void>;
}

export interface StoredHistory {
  executionId: string | undefined;
  /** Undefined while no checkpoint has begun. */
  etag: string | undefined;
  events: HistoryEvent[];
  /** In the order in which they were parked. */
  parked: ParkedMessage[];
}

/** A message that was made durable, waiting for the turn that takes it into the history. */
export interface ParkedMessage {
  key: string;
  body: MessageBody;
  /** For results of tasks: the execution that scheduled the task. */
  executionId: string | undefined;
  /** The message of the inbox that it was, which may still be there. */
  receipt?: Receipt;
}

export interface Checkpoint {
  instanceId: string;
  /** When it is another one than the stored one, the stored events belong to an execution that is over. */
  executionId: string;
  /** As the last load or append returned it. */
  etag: string | undefined;
  /** Position of the first event in the history of the execution, from 0. */
  firstIndex: number;
  /** True when no earlier execution, nor anything else, is likely to have left events there; it only saves time. */
  isFresh?: boolean;
  events: readonly HistoryEvent[];
  /** Keys of the parked messages that these events include. */
  consumed: readonly string[];
}

/** Where messages wait that other clients of the hub have sent. */
export interface Inbox {
  /** Takes what waits, in the order in which it came to each queue. What is not removed soon comes again. */
  receive(): Promise<Delivery[]>;
  /** @throws MalformedMessage when nobody can act upon it, however often it comes. */
  open(delivery: Delivery): Promise<ClientMessage>;
  /** True when the message is gone, whoever removed it; false when somebody has received it since, so that it comes again. */
  remove(receipt: Receipt): Promise<boolean>;
  /** Moves it to where it does no harm and can be looked at; returns the name of that place. */
  setAside(delivery: Delivery): Promise<string>;
}

/** Names a message of the inbox, and one time that it was received. */
export interface Receipt {
  queue: string;
  id: string;
  popReceipt: string;
}

export interface Delivery extends Receipt {
  text: string;
  insertedAt: Date;
}

/** What the key of a message that was taken from the inbox is made of, so that it keeps its place among the others. */
export interface Taken {
  receipt: Receipt;
  insertedAt: Date;
  sequence: number;
}

/** Somebody has moved this instance's history on. */
export class HistoryConflict extends Error {}
