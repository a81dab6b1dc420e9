import { expect, inject, it } from 'vitest';
import { openTablesBackend } from '../../../src/backend/tables-backend.js';
import type { HistoryEvent } from '../../../src/protocol/history.js';
import { backendConformance } from '../../support/backend-conformance.js';
import { newHub } from '../../support/host-process.js';
import { HubTables } from '../../support/hub-tables.js';

const open = async (hub: string) =>
  await openTablesBackend(inject('storage'), hub, {
    patienceSeconds: 0,
    partitionCount: 4,
    hiddenSeconds: 30,
    log: () => undefined,
  });

backendConformance('the backend in Azure tables', () => open(newHub()));

const Timestamp = '2026-01-01T00:00:00.000Z';
const completed: HistoryEvent = { EventType: 'OrchestratorCompleted', EventId: -1, Timestamp };
const raised = (Name: string): HistoryEvent => ({
  EventType: 'EventRaised',
  Name,
  Input: 'x'.repeat(30_721),
  EventId: -1,
  Timestamp,
});

it('a turn of which storage took only the first batches is removed when the history is loaded', async () => {
  const hub = newHub();
  const { histories } = await open(hub);
  const checkpoint = { instanceId: 'cut', executionId: 'e', consumed: [] };
  const etag = await histories.append({
    ...checkpoint,
    etag: undefined,
    firstIndex: 0,
    events: [raised('a'), completed],
  });
  await histories.append({ ...checkpoint, etag, firstIndex: 2, events: [raised('b'), raised('c'), completed] });
  const tables = new HubTables(hub);
  await tables.history.updateEntity({ partitionKey: 'cut', rowKey: 'sentinel', IsCheckpointComplete: false }, 'Merge');
  await tables.history.deleteEntity('cut', '0000000000000004');
  expect((await histories.load('cut')).events).toEqual([raised('a'), completed]);
  expect((await tables.rows('cut')).map(({ rowKey }) => rowKey)).toEqual([
    '0000000000000000',
    '0000000000000001',
    'sentinel',
  ]);
});

it('rows are laid out as DurableTask.AzureStorage does, so that its tools can read them', async () => {
  const hub = newHub();
  const { histories } = await open(hub);
  const key = await histories.park('layout', { EventType: 'EventRaised', Name: 'go', Input: '1' }, 'e');
  const events = [raised('long'), completed];
  await histories.append({
    instanceId: 'layout',
    executionId: 'e',
    etag: undefined,
    firstIndex: 0,
    events,
    consumed: [],
  });
  const rows = await new HubTables(hub).rows('layout');
  const columns = rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'timestamp' && name !== 'etag')),
  );
  const common = {
    partitionKey: 'layout',
    ExecutionId: 'e',
    EventId: -1,
    _Timestamp: new Date(Timestamp),
  };
  expect(columns).toEqual([
    {
      ...common,
      rowKey: '0000000000000000',
      EventType: 'EventRaised',
      IsPlayed: true,
      Name: 'long',
      ParentTraceContext: 'null',
      Input: '',
      InputBlobName: expect.stringMatching(
        /^layout\/history-0000000000000000-EventRaised-[0-9A-F]{8}-Input\.json\.gz$/,
      ) as string,
    },
    { ...common, rowKey: '0000000000000001', EventType: 'OrchestratorCompleted', IsPlayed: false },
    {
      partitionKey: 'layout',
      rowKey: key,
      Event: '{"EventType":"EventRaised","Name":"go","Input":"1"}',
      ForExecution: 'e',
    },
    {
      partitionKey: 'layout',
      rowKey: 'sentinel',
      ExecutionId: 'e',
      IsCheckpointComplete: true,
      CheckpointCompletedTimestamp: expect.any(Date) as Date,
    },
  ]);
});
