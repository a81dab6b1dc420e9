import type { Answer, Request } from './exchange.js';

/** One exchange with the real host, as it answers the app of fixtures/conformance (see exchange.ts for the names in braces). */
export interface Exchange {
  name: string;
  /** The instance that must have this status before the request is sent. */
  after?: [id: string, status: string];
  request: Request;
  answer: Answer;
}

type Json = Record<string, unknown>;

const WEBHOOK = '/runtime/webhooks/durabletask';
const JSON_UTF8 = { 'content-type': 'application/json; charset=utf-8' };
const PLAIN = { 'content-type': 'text/plain;charset=UTF-8' };
const SCRUBBED = 'https://a.blob.core.windows.net/c/b?sr=b[Hidden Credential]';
const HIDDEN = '[Hidden Credential]';

const empty = (status: number, headers: Record<string, string> = {}): Answer => ({ status, headers, body: '' });
const json = (status: number, body: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { ...JSON_UTF8, ...headers },
  body,
});
const fromApp = (status: number, body: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body,
});

const get = (path: string, headers: Record<string, string> = {}): Request => ({ method: 'GET', path, headers });
const post = (path: string, body?: unknown): Request => ({ method: 'POST', path, body });
const start = (name: string, id: string, body?: unknown) => post(`${WEBHOOK}/orchestrators/${name}/${id}`, body);
const order = (id: string, operation: string, body?: unknown) => post(`${WEBHOOK}/instances/${id}/${operation}`, body);
const status = (id: string, query = '') => get(`${WEBHOOK}/instances/${id}${query}`);
const remove = (what: string): Request => ({ method: 'DELETE', path: `${WEBHOOK}/instances${what}` });
const list = (query: string, headers: Record<string, string> = {}) => get(`${WEBHOOK}/instances${query}`, headers);
const client = (method: string, ...args: unknown[]) => post(`/api/client/${method}`, JSON.stringify(args));

const FULL = '?showHistory=true&showHistoryOutput=true';

/** The management URLs of an instance in the order of the extension; only the SDK's own answer has the one for a rewind. */
function urls(id: string): Json {
  const one = `{ORIGIN}${WEBHOOK}/instances/${id.startsWith('{') ? id : encodeURIComponent(id)}`;
  const rest = 'taskHub={HUB}&connection=AzureWebJobsStorage&code={KEY}';
  return {
    statusQueryGetUri: `${one}?${rest}`,
    sendEventPostUri: `${one}/raiseEvent/{eventName}?${rest}`,
    terminatePostUri: `${one}/terminate?reason={text}&${rest}`,
    purgeHistoryDeleteUri: `${one}?${rest}`,
    restartPostUri: `${one}/restart?${rest}`,
    suspendPostUri: `${one}/suspend?reason={text}&${rest}`,
    resumePostUri: `${one}/resume?reason={text}&${rest}`,
  };
}

const rewindUrl = (id: string) =>
  `{ORIGIN}${WEBHOOK}/instances/${id}/rewind?reason={text}&taskHub={HUB}&connection=AzureWebJobsStorage&code={KEY}`;

const accepted = (id: string): Answer =>
  json(202, { id, ...urls(id) }, { location: String(urls(id)['statusQueryGetUri']), 'retry-after': '10' });

interface Shown {
  input?: unknown;
  customStatus?: unknown;
  output?: unknown;
  parentInstanceId?: string;
  historyEvents?: Json[];
}

function instance(name: string, instanceId: string, runtimeStatus: string, shown: Shown = {}): Json {
  const { input = null, customStatus = null, output = null, ...rest } = shown;
  const times = { createdTime: '{SECOND}', lastUpdatedTime: '{SECOND}' };
  return { name, instanceId, runtimeStatus, input, customStatus, output, ...times, ...rest };
}

/** The answer while an instance runs: where and when to ask again. */
function running(id: string, body: Json, query = ''): Answer {
  const location = `{ORIGIN}${WEBHOOK}/instances/${id}${query}${query ? '&' : '?'}code={KEY}`;
  return json(202, body, { location, 'retry-after': '5' });
}

const started = (FunctionName: string, Input: string, Generation: number | null = 0): Json => ({
  EventType: 'ExecutionStarted',
  FunctionName,
  Input,
  Generation,
  Correlation: null,
  ParentTraceContext: null,
  ScheduledStartTime: null,
  GenerateNewTrace: false,
  Timestamp: '{TIME}',
});
const without = (left: string, event: Json): Json =>
  Object.fromEntries(Object.entries(event).filter(([name]) => name !== left));
const settled = (EventType: string, FunctionName: string, Input: string, more: Json): Json => ({
  EventType,
  FunctionName,
  Input,
  ScheduledTime: '{TIME+00:00}',
  Timestamp: '{TIME}',
  ...more,
});
const ended = (OrchestrationStatus: string, more: Json = {}): Json => ({
  EventType: 'ExecutionCompleted',
  OrchestrationStatus,
  FailureDetails: null,
  Timestamp: '{TIME}',
  ...more,
});
const greeted = (input: unknown) => ({ note: 'hello', input });
const noted = settled('TaskCompleted', 'note', JSON.stringify([JSON.stringify('hello')]), { Result: 'hello' });

/** A worker's exception as the extension serialises it, its stack without frames. */
const exception = (message: string, stackMessage = message): string => {
  const HResult = -2_146_233_088;
  return JSON.stringify({
    $type: 'System.Exception, System.Private.CoreLib',
    ClassName: 'System.Exception',
    Message: message,
    Data: null,
    InnerException: {
      $type: 'Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException, Microsoft.Azure.WebJobs.Script',
      IsUserException: false,
      RemoteStackTrace: `Error: ${stackMessage}`,
      RemoteMessage: message,
      RemoteTypeName: null,
      Message: `Result: Failure\nException: ${message}\nStack: Error: ${stackMessage}`,
      Data: { $type: 'System.Collections.ListDictionaryInternal, System.Private.CoreLib' },
      InnerException: null,
      HelpLink: null,
      Source: 'System.Private.CoreLib',
      HResult,
      StackTrace: '',
    },
    HelpURL: null,
    StackTraceString: null,
    RemoteStackTraceString: null,
    RemoteStackIndex: 0,
    ExceptionMethod: null,
    HResult,
    Source: null,
    WatsonBuckets: null,
  });
};

const unknownOrchestrator = (name: string) =>
  `Orchestrator function '${name}' failed: The function '${name}' doesn't exist, is disabled, or is not an orchestrator function. Additional info: The following are the known orchestrator functions: ${KNOWN.map((each) => `'${each}'`).join(', ')}.`;
const KNOWN =
  'again callsNoChild callsNobody failures gate greet inputs long parent pause throws throwsSecret values yieldsNumber'.split(
    ' ',
  );

const http: Exchange[] = [
  ['a handler that returns nothing', get('/api/silent'), empty(204)],
  ['a handler that throws', get('/api/broken'), empty(500)],
  ['a handler that returns no answer', get('/api/nonsense'), empty(500)],
  ['text', get('/api/word'), { status: 200, headers: { ...PLAIN, 'x-own': 'yes' }, body: 'wörd' }],
  ['the head of a text', { method: 'HEAD', path: '/api/word' }, empty(200, { ...PLAIN, 'x-own': 'yes' })],
  ['JSON', get('/api/thing'), fromApp(201, { a: 1, at: '2026-01-02T03:04:05.000Z' })],
  ['bytes', get('/api/bytes'), { status: 200, headers: {}, body: '\u0000\u0001\uFFFD' }],
  ['an answer without a body', get('/api/gone'), empty(204)],
  ['another place', get('/api/moved'), empty(302, { location: 'http://example.invalid/' })],
  [
    'a cookie',
    get('/api/crumb'),
    {
      status: 200,
      headers: { ...PLAIN, 'set-cookie': 'crumb=a%20b; max-age=60; path=/; secure; samesite=lax; httponly' },
      body: 'c',
    },
  ],
  ['a function in capitals', get('/api/THING'), fromApp(201, { a: 1, at: '2026-01-02T03:04:05.000Z' })],
  [
    'repeated parameters',
    get('/api/mirror/5/a%20b?x=1&X=2&y=%20z&x=3&empty='),
    fromApp(200, {
      method: 'GET',
      url: '{ORIGIN}/api/mirror/5/a%20b?x=1&X=2&y=%20z&x=3&empty=',
      params: { id: '5', rest: 'a b' },
      query: { x: '1,2,3', y: ' z', empty: '' },
      body: '',
    }),
  ],
  [
    'an optional parameter that is missing',
    { method: 'PUT', path: '/api/mirror/7/', body: 'plain', headers: { 'content-type': 'text/plain' } },
    fromApp(200, { method: 'PUT', url: '{ORIGIN}/api/mirror/7/', params: { id: '7' }, query: {}, body: 'plain' }),
  ],
  [
    'an escaped slash',
    get('/api/tail/a/b%2Fc%2fd%20e'),
    fromApp(200, {
      method: 'GET',
      url: '{ORIGIN}/api/tail/a/b%2Fc%2fd%20e',
      params: { rest: 'a/b%2Fc%2fd e' },
      query: {},
      body: '',
    }),
  ],
  ['a parameter that is no number', get('/api/mirror/five'), empty(404)],
  ['another method', post('/api/thing', 1), empty(404)],
  ['OPTIONS', { method: 'OPTIONS', path: '/api/thing' }, empty(404)],
  ['no function', get('/api/nowhere'), empty(404)],
  ['the prefix alone', get('/api'), empty(404)],
  ['a function without its key', get('/api/locked'), empty(401)],
  ['the management API without its key', status('greet-1', '?nokey'), empty(401, { 'www-authenticate': 'Bearer' })],
  ['the page of the host', get('/'), { status: 200, headers: { 'content-type': 'text/html' }, body: 'an HTML page' }],
  ['a ping', get('/admin/host/ping'), empty(200, { 'cache-control': 'no-store,no-cache', pragma: 'no-cache' })],
  ['what is for administrators', get('/admin/functions'), empty(403)],
  ['what is for administrators, without a key', get('/admin/functions?nokey'), empty(401)],
  ['the state of the host, with a key for something else', get('/admin/host/status'), empty(403)],
].map(([name, request, answer]) => ({ name, request, answer }) as Exchange);

const one = `{ORIGIN}${WEBHOOK}`;
const clients: Exchange[] = [
  {
    name: 'what a durable client is given',
    request: get('/api/binding'),
    answer: fromApp(200, {
      raw: {
        taskHubName: '{HUB}',
        connectionName: null,
        creationUrls: {
          createNewInstancePostUri: `${one}/orchestrators/{functionName}[/{instanceId}]?code={KEY}`,
          createAndWaitOnNewInstancePostUri: `${one}/orchestrators/{functionName}[/{instanceId}]?timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}&code={KEY}`,
        },
        managementUrls: { id: 'INSTANCEID', ...urls('INSTANCEID'), rewindPostUri: rewindUrl('INSTANCEID') },
        baseUrl: one,
        requiredQueryStringParameters: 'code={KEY}',
        rpcBaseUrl: 'http://127.0.0.1:17071/durabletask/',
        httpBaseUrl: null,
        maxGrpcMessageSizeInBytes: null,
        grpcHttpClientTimeout: null,
      },
      payload: { id: 'some-id', ...urls('some-id'), rewindPostUri: rewindUrl('some-id') },
    }),
  },
  {
    name: 'a start by the SDK',
    request: post('/api/start/greet/by-sdk', { a: 1 }),
    answer: {
      status: 202,
      headers: {
        'content-type': 'application/json',
        location: String(urls('by-sdk')['statusQueryGetUri']),
        'retry-after': '10',
      },
      body: { id: 'by-sdk', ...urls('by-sdk'), rewindPostUri: rewindUrl('by-sdk') },
    },
  },
  {
    name: 'a start of what is not there, by the SDK',
    request: client('startNew', 'nowhere', { instanceId: 'sdk-nowhere' }),
    answer: fromApp(200, { result: 'sdk-nowhere' }),
  },
  {
    name: 'the status of nobody, by the SDK',
    request: client('getStatus', 'nobody'),
    answer: fromApp(200, {
      error:
        'DurableClient error: Durable Functions extension replied with HTTP 404 response. This usually means we could not find any data associated with the instanceId provided: nobody.',
    }),
  },
  ...['terminate', 'suspend', 'resume'].map((method) => ({
    name: `${method} of nobody, by the SDK`,
    request: client(method, 'nobody', 'x'),
    answer: fromApp(200, { error: "No instance with ID 'nobody' found." }),
  })),
  {
    name: 'a rewind of nobody, by the SDK',
    request: client('rewind', 'nobody', 'x'),
    answer: fromApp(200, { error: 'No orchestration with instance ID "$nobody" found.' }),
  },
  {
    name: 'a purge of nobody, by the SDK',
    request: client('purgeInstanceHistory', 'nobody'),
    answer: fromApp(200, { result: { instancesDeleted: 0 } }),
  },
];

const hello = { n: 1, t: 'ä', at: '2026-01-02T03:04:05.000Z' };
const helloText = JSON.stringify(hello);
const helloDone = { input: hello, customStatus: { step: 1 }, output: greeted(hello) };
const greetEvents = [started('greet', helloText), noted, ended('Completed', { Result: greeted(hello) })];
const withoutResults = [started('greet', helloText), without('Result', noted), ended('Completed')];

const starts: Exchange[] = [
  { name: 'a start', request: start('greet', 'greet-1', hello), answer: accepted('greet-1') },
  { name: 'a start without input', request: start('greet', 'greet-nothing'), answer: accepted('greet-nothing') },
  {
    name: 'a start with an id of the host',
    request: post(`${WEBHOOK}/orchestrators/greet`, 1),
    answer: accepted('{ID}'),
  },
  { name: 'a start of what is not there', request: start('nowhere', 'nowhere-1', 1), answer: accepted('nowhere-1') },
  { name: 'a start of an activity', request: start('note', 'note-1', 1), answer: accepted('note-1') },
  {
    name: 'a start with no JSON',
    request: start('greet', 'bad', '{bad'),
    answer: json(400, {
      Message: 'Invalid JSON content',
      ExceptionMessage: "Unexpected end while parsing unquoted property name. Path '', line 1, position 4.",
      ExceptionType: 'Newtonsoft.Json.JsonReaderException',
      StackTrace: '',
    }),
  },
  { name: 'an id with a slash', request: start('greet', 'a%2Fb', 1), answer: empty(404) },
  { name: 'an id like an entity’s', request: start('greet', '%40at', 1), answer: accepted('@at') },
  { name: 'an id with a number sign', request: start('greet', 'a%23b', 1), answer: accepted('a#b') },
  { name: 'a long id', request: start('greet', 'x'.repeat(101), 1), answer: accepted('x'.repeat(101)) },
  {
    name: 'a start that waits',
    request: start('greet', 'waited?timeout=10&pollingInterval=0.1', 5),
    answer: json(200, greeted(5)),
  },
  {
    name: 'a start that waits for a failure',
    request: start('throws', 'waited-failure?timeout=10&pollingInterval=0.1', '"it broke"'),
    answer: json(
      200,
      instance('throws', 'waited-failure', 'Failed', {
        input: 'it broke',
        output: "Orchestrator function 'throws' failed: it broke",
      }),
    ),
  },
  {
    name: 'a start that waits for a failure with line separators',
    request: start('throws', 'separated?timeout=10&pollingInterval=0.1', String.raw`"a\u2028b\u2029c"`),
    answer: json(
      200,
      instance('throws', 'separated', 'Failed', {
        input: 'a\u2028b\u2029c',
        output: "Orchestrator function 'throws' failed: a\u2028b\u2029c",
      }),
    ),
  },
  { name: 'a start of what waits', request: start('gate', 'gate-1', 1), answer: accepted('gate-1') },
  {
    name: 'a start over what runs',
    after: ['gate-1', 'Running'],
    request: start('gate', 'gate-1', 1),
    answer: json(409, { Message: 'An Orchestration instance with the status Running already exists.' }),
  },
];

const nowhere = (name: string, id: string) =>
  json(200, instance(name, id, 'Failed', { input: 1, output: unknownOrchestrator(name) }));

const statuses: Exchange[] = [
  {
    name: 'a status',
    after: ['greet-1', 'Completed'],
    request: status('greet-1'),
    answer: json(200, instance('greet', 'greet-1', 'Completed', helloDone)),
  },
  {
    name: 'a status without input',
    request: status('greet-1', '?showInput=false'),
    answer: json(200, instance('greet', 'greet-1', 'Completed', { ...helloDone, input: null })),
  },
  {
    name: 'a history',
    request: status('greet-1', '?SHOWHISTORY=True'),
    answer: json(200, instance('greet', 'greet-1', 'Completed', { ...helloDone, historyEvents: withoutResults })),
  },
  {
    name: 'a history with results',
    request: status('greet-1', FULL),
    answer: json(200, instance('greet', 'greet-1', 'Completed', { ...helloDone, historyEvents: greetEvents })),
  },
  {
    name: 'a status by the short name of the connection',
    request: status('greet-1', '?connection=Storage'),
    answer: json(200, instance('greet', 'greet-1', 'Completed', helloDone)),
  },
  { name: 'another hub', request: status('greet-1', '?taskHub=Nothing'), answer: empty(404) },
  {
    name: 'another connection',
    request: status('greet-1', '?connection=Nope'),
    answer: json(500, {
      Message: 'Something went wrong while processing your request',
      ExceptionMessage: "Unable to resolve the Azure Storage connection named 'Nope'.",
      ExceptionType: 'System.InvalidOperationException',
      StackTrace: '',
    }),
  },
  { name: 'the status of nobody', request: status('nobody'), answer: empty(404) },
  { name: 'no such route', request: get(`${WEBHOOK}/nothing`), answer: empty(404) },
  { name: 'no such method', request: { method: 'PUT', path: `${WEBHOOK}/instances/greet-1` }, answer: empty(404) },
  {
    name: 'what is not there',
    after: ['nowhere-1', 'Failed'],
    request: status('nowhere-1'),
    answer: nowhere('nowhere', 'nowhere-1'),
  },
  {
    name: 'an activity as orchestrator',
    after: ['note-1', 'Failed'],
    request: status('note-1'),
    answer: nowhere('note', 'note-1'),
  },
  {
    name: 'a failure as an error',
    request: status('waited-failure', '?returnInternalServerErrorOnFailure=true'),
    answer: json(
      500,
      instance('throws', 'waited-failure', 'Failed', {
        input: 'it broke',
        output: "Orchestrator function 'throws' failed: it broke",
      }),
    ),
  },
  {
    name: 'what waits',
    request: status('gate-1'),
    answer: running('gate-1', instance('gate', 'gate-1', 'Running', { input: 1, customStatus: 'waiting' })),
  },
];

const suspended = (operation: string, state: string) =>
  json(500, {
    Message: 'Something went wrong while processing your request',
    ExceptionMessage: `Cannot ${operation} the orchestration instance gate-1 because instance is in the ${state} state.`,
    ExceptionType: 'System.InvalidOperationException',
    StackTrace: '',
  });

const orders: Exchange[] = [
  { name: 'an event for nobody', request: order('nobody', 'raiseEvent/Go', 1), answer: empty(404) },
  { name: 'an event for what has ended', request: order('greet-1', 'raiseEvent/Go', 1), answer: empty(410) },
  {
    name: 'a purge of what runs',
    request: remove('/gate-1'),
    answer: json(
      412,
      'Only orchestrations in a terminal state can be purged, but the orchestration with instance ID gate-1 has status Running',
    ),
  },
  { name: 'a suspension', request: order('gate-1', 'suspend?reason=pause%20it'), answer: empty(202) },
  {
    name: 'what is suspended',
    after: ['gate-1', 'Suspended'],
    request: status('gate-1'),
    answer: running(
      'gate-1',
      instance('gate', 'gate-1', 'Suspended', { input: 1, customStatus: 'waiting', output: 'pause it' }),
    ),
  },
  {
    name: 'a second suspension',
    request: order('gate-1', 'suspend?reason=x'),
    answer: suspended('suspend', 'Suspended'),
  },
  { name: 'a suspension of what has ended', request: order('greet-1', 'suspend'), answer: empty(410) },
  { name: 'an event while suspended', request: order('gate-1', 'raiseEvent/Go', { e: 1 }), answer: empty(202) },
  { name: 'a resumption', request: order('gate-1', 'resume?reason=go%20on'), answer: empty(202) },
  {
    name: 'what was suspended',
    after: ['gate-1', 'Completed'],
    request: status('gate-1', FULL),
    answer: json(
      200,
      instance('gate', 'gate-1', 'Completed', {
        input: 1,
        output: { got: { e: 1 } },
        historyEvents: [
          started('gate', '1'),
          { EventType: 'ExecutionSuspended', Reason: 'pause it', Timestamp: '{TIME}' },
          { EventType: 'ExecutionResumed', Reason: 'go on', Timestamp: '{TIME}' },
          { EventType: 'EventRaised', Name: 'Go', Input: '{"e":1}', ParentTraceContext: null, Timestamp: '{TIME}' },
          ended('Completed', { Result: { got: { e: 1 } } }),
        ],
      }),
    ),
  },
  { name: 'a resumption of what has ended', request: order('gate-1', 'resume'), answer: empty(410) },
  { name: 'a resumption of nobody', request: order('nobody', 'resume'), answer: empty(404) },
  { name: 'a start of what will be terminated', request: start('gate', 'gate-2', 1), answer: accepted('gate-2') },
  {
    name: 'a termination',
    after: ['gate-2', 'Running'],
    request: order('gate-2', 'terminate?reason=because%20I%20can'),
    answer: empty(202),
  },
  {
    name: 'what was terminated',
    after: ['gate-2', 'Terminated'],
    request: status('gate-2', FULL),
    answer: json(
      200,
      instance('gate', 'gate-2', 'Terminated', {
        input: 1,
        customStatus: 'waiting',
        output: 'because I can',
        historyEvents: [
          started('gate', '1'),
          { EventType: 'ExecutionTerminated', Input: 'because I can', Timestamp: '{TIME}' },
          ended('Terminated', { Result: 'because I can' }),
        ],
      }),
    ),
  },
  { name: 'a second termination', request: order('gate-2', 'terminate'), answer: empty(410) },
  {
    name: 'a rewind of what completed',
    request: order('greet-1', 'rewind?reason=x'),
    answer: json(
      412,
      'This orchestration has status Completed, but only orchestrations in the "Failed" state can be rewound.',
    ),
  },
  {
    name: 'a rewind of nobody',
    request: order('nobody', 'rewind'),
    answer: json(404, 'No orchestration with instance ID "$nobody" found.'),
  },
  {
    name: 'a restart of nobody',
    request: order('nobody', 'restart'),
    answer: json(400, {
      Message: 'InstanceId does not match a valid orchestration instance.',
      ExceptionMessage: "No instance with ID 'nobody' was found. (Parameter 'instanceId')",
      ExceptionType: 'System.ArgumentException',
      StackTrace: '',
    }),
  },
  {
    name: 'a restart',
    request: order('greet-1', 'restart?restartWithNewInstanceId=false'),
    answer: accepted('greet-1'),
  },
  {
    name: 'what was restarted',
    after: ['greet-1', 'Completed'],
    request: status('greet-1', FULL),
    answer: json(
      200,
      instance('greet', 'greet-1', 'Completed', {
        ...helloDone,
        historyEvents: [started('greet', helloText, 1), ...greetEvents.slice(1)],
      }),
    ),
  },
];

/** Starts an orchestration and shows how it ended. */
function ran(name: string, input: unknown, runtimeStatus: string, shown: Shown): Exchange[] {
  const id = `${name}-ran`;
  const known = { input, ...shown };
  const settledStatus = ['Completed', 'Failed'].includes(runtimeStatus);
  return [
    { name: `a start of ${name}`, request: start(name, id, JSON.stringify(input)), answer: accepted(id) },
    {
      name,
      after: [id, runtimeStatus],
      request: status(id, FULL),
      answer: settledStatus
        ? json(200, instance(name, id, runtimeStatus, known))
        : running(id, instance(name, id, runtimeStatus, known), FULL),
    },
  ];
}

const VALUES = {
  true: true,
  number: 3.14,
  whole: 42,
  huge: 9_223_372_036_854_775_807n.toString(),
  nan: 'NaN',
  text: 'text',
  digits: '123',
  nothing: null,
  bytes: 'aGVsbG8=',
  date: '1970-01-01T00:00:00.000Z',
  separators: '\u2028\u2029\u0085',
  object: { a: [true, null], at: '2026-01-02T03:04:05.000Z' },
};
const values = { ...VALUES, huge: Number(VALUES.huge) };

const looked = (type: string, value: unknown, data: unknown, members: Json = {}) => ({
  type,
  value,
  metadata: { instanceId: 'inputs-ran', ...(data === undefined ? {} : { binding: value, data }), ...members },
});
const INPUTS: [string, unknown, Json][] = [
  ['true', 'true', looked('string', 'True', true)],
  ['number', 1.5, looked('number', 1.5, 1.5)],
  ['huge', 1e21, looked('number', 1e21, 1e21)],
  ['text', '"q"', looked('string', '"q"', JSON.stringify('"q"'))],
  ['null', null, looked('undefined', null, undefined)],
  ['list', [1, null], looked('object', [1, null], [1, null])],
  [
    'object',
    { t: true, at: '2026-01-02T03:04:05.678Z', instanceId: 'other' },
    looked(
      'object',
      { t: true, at: '2026-01-02T03:04:05.678Z', instanceId: 'other' },
      { t: true, at: '2026-01-02T03:04:05.678Z', instanceId: 'other' },
      { t: 'True', at: '01/02/2026 03:04:05', instanceId: 'other' },
    ),
  ],
];
const inputTexts = [
  '[true]',
  '[1.5]',
  '[1E+21]',
  JSON.stringify([JSON.stringify('"q"')]),
  '[null]',
  '[[1,null]]',
  JSON.stringify([INPUTS[6]?.[1]]),
];
const seenInputs = Object.fromEntries(INPUTS.map(([kind, , seen]) => [kind, seen]));

const failureOf = (name: string, text: string) => `Activity function '${name}' failed: ${text} \n ${exception(text)}`;

const YIELDED =
  "Orchestrator function 'yieldsNumber' failed: Durable Functions programming constraint violation: Orchestration yielded data of type number. Only Task types can be yielded. Please check your yield statements to make sure you only yield Task types resulting from calling Durable Functions APIs.";

const ends: Exchange[] = [
  ...ran('values', 1, 'Completed', {
    output: values,
    historyEvents: [
      started('values', '1'),
      ...Object.entries(values).map(([kind, Result]) =>
        settled('TaskCompleted', 'give', JSON.stringify([JSON.stringify(kind)]), { Result }),
      ),
      ended('Completed', { Result: values }),
    ],
  }),
  ...ran('inputs', null, 'Completed', {
    output: seenInputs,
    historyEvents: [
      started('inputs', 'null'),
      ...INPUTS.map(([, , Result], index) => settled('TaskCompleted', 'look', inputTexts[index] ?? '', { Result })),
      ended('Completed', { Result: seenInputs }),
    ],
  }),
  ...ran('throws', 'it broke', 'Failed', {
    output: "Orchestrator function 'throws' failed: it broke",
    historyEvents: [
      started('throws', '"it broke"'),
      settled('TaskCompleted', 'note', JSON.stringify([JSON.stringify('before')]), { Result: 'before' }),
      ended('Failed', { Result: "Orchestrator function 'throws' failed: it broke" }),
    ],
  }),
  ...ran('throwsSecret', null, 'Failed', {
    output: `Orchestrator function 'throwsSecret' failed: ${SCRUBBED}`,
    historyEvents: [
      started('throwsSecret', 'null'),
      settled(
        'TaskCompleted',
        'note',
        JSON.stringify([JSON.stringify(`${SCRUBBED.replace(HIDDEN, '')}&sig=hunter2%3D and AccountKey=hunter2==;`)]),
        {
          Result: `${SCRUBBED.replace(HIDDEN, '')}&sig=hunter2%3D and AccountKey=hunter2==;`,
        },
      ),
      ended('Failed', { Result: `Orchestrator function 'throwsSecret' failed: ${SCRUBBED}` }),
    ],
  }),
  ...ran('yieldsNumber', null, 'Failed', {
    output: YIELDED,
    historyEvents: [started('yieldsNumber', 'null'), ended('Failed', { Result: YIELDED })],
  }),
  ...ran('callsNobody', null, 'Running', { historyEvents: [started('callsNobody', 'null')] }),
  ...ran('callsNoChild', null, 'Running', { historyEvents: [started('callsNoChild', 'null')] }),
  ...ran('again', 1, 'Completed', {
    input: 3,
    output: { count: 3 },
    historyEvents: [
      started('again', '3', null),
      settled('TaskCompleted', 'note', '[3]', { Result: 3 }),
      ended('Completed', { Result: { count: 3 } }),
    ],
  }),
  ...ran('pause', null, 'Completed', {
    output: 'on',
    historyEvents: [
      started('pause', 'null'),
      { EventType: 'TimerCreated', FireAt: '{TIME}', Timestamp: '{TIME}' },
      { EventType: 'TimerFired', FireAt: '{TIME}', Timestamp: '{TIME}' },
      ended('Completed', { Result: 'on' }),
    ],
  }),
  ...ran('parent', null, 'Completed', {
    output: [greeted({ k: 1 }), greeted({ k: 2 })],
    historyEvents: [
      started('parent', 'null'),
      settled('SubOrchestrationInstanceCompleted', 'greet', '{"k":1}', {
        InstanceId: 'parent-ran-child',
        Result: greeted({ k: 1 }),
      }),
      settled('SubOrchestrationInstanceCompleted', 'greet', '{"k":2}', {
        InstanceId: '{GUID}:1',
        Result: greeted({ k: 2 }),
      }),
      ended('Completed', { Result: [greeted({ k: 1 }), greeted({ k: 2 })] }),
    ],
  }),
  {
    name: 'a child',
    request: status('parent-ran-child', FULL),
    answer: json(
      200,
      instance('greet', 'parent-ran-child', 'Completed', {
        parentInstanceId: 'parent-ran',
        input: { k: 1 },
        customStatus: { step: 1 },
        output: greeted({ k: 1 }),
        historyEvents: [started('greet', '{"k":1}', null), noted, ended('Completed', { Result: greeted({ k: 1 }) })],
      }),
    ),
  },
  ...ran('failures', null, 'Completed', failuresShown()),
];

function failuresShown(): Shown {
  const secret = `${SCRUBBED.replace(HIDDEN, '')}&sig=hunter2%3D and AccountKey=hunter2==;`;
  const child = "Orchestrator function 'throws' failed: from a child";
  const details = 'Message: from a child, StackTrace: ';
  const output = {
    activity: failureOf('fail', 'plain text'),
    secret: `Activity function 'fail' failed: ${SCRUBBED} \n ${exception(SCRUBBED, secret)}`,
    child: `${child} \n ${details}`,
  };
  const failed = { FailureDetails: null };
  return {
    output,
    historyEvents: [
      started('failures', 'null'),
      settled('TaskFailed', 'fail', JSON.stringify([JSON.stringify('plain text')]), {
        ...failed,
        Reason: "Activity function 'fail' failed: plain text",
        Details: exception('plain text'),
      }),
      settled('TaskFailed', 'fail', JSON.stringify([JSON.stringify(secret)]), {
        ...failed,
        Reason: `Activity function 'fail' failed: ${SCRUBBED}`,
        Details: exception(SCRUBBED, secret),
      }),
      settled('SubOrchestrationInstanceFailed', 'throws', '"from a child"', {
        ...failed,
        InstanceId: '{GUID}:2',
        Reason: child,
        Details: details,
      }),
      ended('Completed', { Result: output }),
    ],
  };
}

const gateRow = (id: string, runtimeStatus: string, shown: Shown) => instance('gate', id, runtimeStatus, shown);
const gate1 = gateRow('gate-1', 'Completed', { input: 1, output: { got: { e: 1 } } });
const gate2 = gateRow('gate-2', 'Terminated', { input: 1, customStatus: 'waiting', output: 'because I can' });

const lists: Exchange[] = [
  { name: 'a list by prefix', request: list('?instanceIdPrefix=gate-'), answer: json(200, [gate1, gate2]) },
  {
    name: 'a list by status',
    request: list('?instanceIdPrefix=gate-&runtimeStatus=Failed,Terminated&runtimeStatus=Canceled'),
    answer: json(200, [gate2]),
  },
  {
    name: 'a list by a status that is none',
    request: list('?instanceIdPrefix=gate-&runtimeStatus=Nope'),
    answer: json(200, [gate1, gate2]),
  },
  {
    name: 'a list without inputs',
    request: list('?instanceIdPrefix=gate-&showInput=false'),
    answer: json(200, [
      { ...gate1, input: null },
      { ...gate2, input: null },
    ]),
  },
  { name: 'a list from the future on', request: list('?createdTimeFrom=2099-01-01T00:00:00Z'), answer: json(200, []) },
  { name: 'a list up to the past', request: list('?createdTimeTo=2001-01-01T00:00:00Z'), answer: json(200, []) },
  {
    name: 'the first page',
    request: list('?instanceIdPrefix=gate-&top=1'),
    answer: json(200, [gate1], { 'x-ms-continuation-token': 'Z2F0ZS0y' }),
  },
  {
    name: 'the second page',
    request: list('?instanceIdPrefix=gate-&top=1', { 'x-ms-continuation-token': 'Z2F0ZS0y' }),
    answer: json(200, [gate2]),
  },
  {
    name: 'a page of nothing',
    request: list('?instanceIdPrefix=gate-&top=0'),
    answer: json(200, [], { 'x-ms-continuation-token': 'Z2F0ZS0x' }),
  },
  {
    name: 'a page that is no number',
    request: list('?instanceIdPrefix=gate-&top=abc'),
    answer: json(200, [gate1, gate2]),
  },
  {
    name: 'a page of a token that is none',
    request: list('?instanceIdPrefix=gate-&top=1', { 'x-ms-continuation-token': 'garbage' }),
    answer: json(200, []),
  },
  { name: 'the entities', request: get(`${WEBHOOK}/entities`), answer: json(200, []) },
  { name: 'an entity', request: get(`${WEBHOOK}/entities/counter/a`), answer: empty(404) },
  {
    name: 'a signal to an entity',
    request: post(`${WEBHOOK}/entities/counter/a?op=add`, 1),
    answer: json(400, {
      Message:
        "The function 'counter' doesn't exist, is disabled, or is not an entity function. Additional info: No entity functions are currently registered!",
    }),
  },
];

const purges: Exchange[] = [
  { name: 'a purge', request: remove('/gate-1'), answer: json(200, { instancesDeleted: 1 }) },
  { name: 'what was purged', request: status('gate-1'), answer: empty(404) },
  { name: 'a purge of nobody', request: remove('/nobody'), answer: empty(404) },
  {
    name: 'a purge of many without a time',
    request: remove('?runtimeStatus=Completed'),
    answer: json(400, "Please provide value for 'createdTimeFrom' parameter."),
  },
  {
    name: 'a purge of many',
    request: remove('?createdTimeFrom=2000-01-01T00:00:00Z&runtimeStatus=Terminated,Running'),
    answer: json(200, { instancesDeleted: 1 }),
  },
  {
    name: 'a purge of none',
    request: remove('?createdTimeFrom=2099-01-01T00:00:00Z&runtimeStatus=Completed'),
    answer: empty(404),
  },
  {
    name: 'a purge of what runs by its status',
    request: remove('?createdTimeFrom=2000-01-01T00:00:00Z&runtimeStatus=Running'),
    answer: json(200, { instancesDeleted: 99 }),
  },
];

export const EXCHANGES: Exchange[] = [
  ...http,
  ...clients,
  ...starts,
  ...statuses,
  ...orders,
  ...ends,
  ...lists,
  ...purges,
];
