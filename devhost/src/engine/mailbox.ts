import { type MessageBody, settledTask } from '../protocol/history.js';
import type { Execution } from './execution.js';

/** Something that an instance is told: a result, an event, a request. */
export interface Message {
  body: MessageBody;
  /** The key under which the message is parked in storage until a turn has taken it in. */
  key?: string | undefined;
  /** For results of tasks: the execution that scheduled the task. */
  executionId?: string | undefined;
}

/** One checkpoint removes the parked messages it consumes in a single transaction, which storage limits to 100 rows. */
const MAX_PARKED_PER_TURN = 50;

/** An instance's waiting messages. While it is suspended all but resume and terminate wait (Durable extension behaviour). */
export class Mailbox {
  suspended = false;
  #waiting: Message[] = [];

  add(message: Message): void {
    if (message.key !== undefined && this.#waiting.some(({ key }) => key === message.key)) return;
    this.#waiting.push(message);
  }

  addFirst(messages: Message[]): void {
    this.#waiting.unshift(...messages);
  }

  /**
   * Takes what the next turn works on. A result is dropped unless its task is open in this execution: it then is a
   * duplicate, or belongs to an execution that ContinueAsNew ended. `alreadyConsumed` counts the parked messages that
   * the next checkpoint removes anyway.
   */
  take(execution: Pick<Execution, 'id' | 'open'>, alreadyConsumed: number): Message[] {
    const taken: Message[] = [];
    const kept: Message[] = [];
    const settled = new Set<number>();
    let parked = alreadyConsumed;
    for (const message of this.#waiting) {
      const task = settledTask(message.body);
      const full = message.key !== undefined && parked >= MAX_PARKED_PER_TURN;
      if (full || (this.suspended && !passesSuspension(message.body))) {
        kept.push(message);
        continue;
      }
      if (task !== undefined) {
        if (message.executionId !== execution.id || !execution.open.has(task) || settled.has(task)) continue;
        settled.add(task);
      }
      if (message.key !== undefined) parked += 1;
      if (message.body.EventType === 'ExecutionSuspended') this.suspended = true;
      if (message.body.EventType === 'ExecutionResumed') this.suspended = false;
      taken.push(message);
    }
    this.#waiting = kept;
    return taken;
  }
}

function passesSuspension(body: MessageBody): boolean {
  return body.EventType === 'ExecutionResumed' || body.EventType === 'ExecutionTerminated';
}
