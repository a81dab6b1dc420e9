import { describe, expect, it } from 'vitest';
import { Mailbox } from '../../../src/engine/mailbox.js';

describe('a mailbox', () => {
  const open = new Map([
    [0, { EventType: 'TaskScheduled', Name: 'a', Input: '[]', EventId: 0, Timestamp: '' } as const],
  ]);
  const result = (id: number) => ({ EventType: 'TaskCompleted', TaskScheduledId: id, Result: '1' }) as const;

  it('takes the result of a task once', () => {
    const mailbox = new Mailbox();
    mailbox.add({ body: result(0), executionId: 'e' });
    mailbox.add({ body: result(0), executionId: 'e' });
    expect(mailbox.take({ id: 'e', open }, 0)).toHaveLength(1);
  });

  it('drops results of tasks that are not open, and of other executions', () => {
    const mailbox = new Mailbox();
    mailbox.add({ body: result(1), executionId: 'e' });
    mailbox.add({ body: result(0), executionId: 'earlier' });
    expect(mailbox.take({ id: 'e', open }, 0)).toEqual([]);
  });
});
