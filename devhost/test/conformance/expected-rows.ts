/** A row as DurableTask.AzureStorage writes it: the type of each column and its value (see exchange.ts for the names in braces). */
export interface ExpectedRow {
  table: 'instances' | 'history';
  partition: string;
  rowKey: string;
  columns: Record<string, string>;
}

const TIME = 'DateTime {TIME}';
const Tags = 'String null';

/** An event that a turn takes in is played, one that it makes is not. */
const event = (EventType: string, IsPlayed: boolean, more: Record<string, string> = {}): Record<string, string> => ({
  EventType: `String ${EventType}`,
  EventId: 'Int32 -1',
  IsPlayed: `Boolean ${IsPlayed}`,
  _Timestamp: TIME,
  ...more,
});

/** The history of a run, one row for each event, and the sentinel. */
function history(partition: string, executionId: string, events: Record<string, string>[]): ExpectedRow[] {
  const ExecutionId = `String ${executionId}`;
  const sentinel = { ExecutionId, IsCheckpointComplete: 'Boolean true', CheckpointCompletedTimestamp: TIME };
  return [...events.map((columns) => ({ ...columns, ExecutionId })), sentinel].map((columns, index) => ({
    table: 'history',
    partition,
    rowKey: index < events.length ? index.toString(16).toUpperCase().padStart(16, '0') : 'sentinel',
    columns,
  }));
}

const started = (id: string, executionId: string, more: Record<string, string>) =>
  event('ExecutionStarted', true, {
    OrchestrationInstance: `String {"InstanceId":"${id}","ExecutionId":"${executionId}"}`,
    ParentTraceContext: 'String null',
    Tags,
    GenerateNewTrace: 'Boolean false',
    ...more,
  });
const scheduled = (name: string, input: string) =>
  event('TaskScheduled', false, {
    EventId: 'Int32 0',
    Name: `String ${name}`,
    Version: 'String ',
    Input: `String ${input}`,
    ParentTraceContext: 'String null',
    Tags,
  });
const ended = (number: number, more: Record<string, string>) =>
  event('ExecutionCompleted', false, {
    EventId: `Int32 ${number}`,
    OrchestrationStatus: 'String Completed',
    FailureDetails: 'String null',
    ...more,
  });

const turn = (...events: Record<string, string>[]) => [
  event('OrchestratorStarted', false),
  ...events,
  event('OrchestratorCompleted', false),
];

const instance = (partition: string, name: string, columns: Record<string, string>): ExpectedRow => ({
  table: 'instances',
  partition,
  rowKey: '',
  columns: {
    Name: `String ${name}`,
    RuntimeStatus: 'String Completed',
    CustomStatus: 'String null',
    CreatedTime: TIME,
    LastUpdatedTime: TIME,
    CompletedTime: TIME,
    TaskHubName: 'String {HUB}',
    Tags,
    ...columns,
  },
});

const NOTED = '["\\"hello\\""]';
const CHILD = '{"note":"hello","input":{"k":1}}';

export const ROWS: ExpectedRow[] = [
  instance('long-ran', 'long', {
    ExecutionId: 'String {GUID}',
    Generation: 'Int32 0',
    ParentInstanceId: 'String ',
    Input: 'String 1',
    Output: 'String {LARGE}/long-ran/history-0000000000000006-ExecutionCompleted-{HEX}-Result.json.gz',
  }),
  ...history('long-ran', '{GUID}', [
    ...turn(
      started('long-ran', '{GUID}', {
        Name: 'String long',
        Input: 'String 1',
        Generation: 'Int32 0',
        ParentInstance: 'String null',
      }),
      scheduled('note', '[40000]'),
    ),
    ...turn(
      event('TaskCompleted', true, { TaskScheduledId: 'Int32 0', Result: 'String 40000' }),
      ended(1, {
        Result: 'String ',
        ResultBlobName: 'String long-ran/history-0000000000000006-ExecutionCompleted-{HEX}-Result.json.gz',
      }),
    ),
  ]),
  instance('parent-ran-child', 'greet', {
    ExecutionId: 'String {ID}',
    ParentInstanceId: 'String parent-ran',
    CustomStatus: 'String {"step":1}',
    Input: 'String {"k":1}',
    Output: `String ${CHILD}`,
  }),
  ...history('parent-ran-child', '{ID}', [
    ...turn(
      started('parent-ran-child', '{ID}', {
        Name: 'String greet',
        Input: 'String {"k":1}',
        ParentInstance:
          'String {"Name":"parent","OrchestrationInstance":{"InstanceId":"parent-ran","ExecutionId":"{GUID}"},"TaskScheduleId":0,"Version":null}',
      }),
      scheduled('note', NOTED),
    ),
    ...turn(
      event('TaskCompleted', true, { TaskScheduledId: 'Int32 0', Result: 'String "hello"' }),
      ended(1, { Result: `String ${CHILD}` }),
    ),
  ]),
];
