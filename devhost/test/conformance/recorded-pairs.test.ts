import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startHost } from '../support/host-process.js';
import { temporaryApp } from '../support/temporary-app.js';
import { until } from '../support/until.js';
import { compare, type Difference, sentence } from './compare.js';
import { type Answer, ask, type AskedHost, askedHost, masked, observe, type Request } from './exchange.js';
import { INTENDED, intentionOf } from './intended-differences.js';

const RECORDINGS = path.resolve(import.meta.dirname, '../../../../shared/recordings/realhost');
const isPresent = existsSync(RECORDINGS);
if (!isPresent) console.warn(`The recorded answers of the real host are not compared: there is no ${RECORDINGS}.`);

interface Pair {
  name: string;
  request: Request;
  real: Answer;
}

/** Exchanges with the app of this project, which the recorded probe app does not answer. */
const isOfAnotherApp = ({ name }: Pair) => /^\d+-app-/.test(name);

const WEBHOOK = '/runtime/webhooks/durabletask';
const ENDED = new Set(['Completed', 'Failed', 'Terminated']);

describe.runIf(isPresent)('the recorded answers of the real host', () => {
  it('are devhost’s too, but for the intended differences', async () => {
    const pairs = recordedPairs().filter((pair) => !isOfAnotherApp(pair));
    const orders = ordersOfResults(pairs.map(({ real }) => real));
    expect(Object.keys(orders)).toEqual(['anyReuse-r1', 'anyThenAwait-r1', 'anyWindow-r1']);
    const probe = readFileSync(path.join(RECORDINGS, 'probe/index.js'), 'utf8');
    const host = await startHost({
      app: temporaryApp({
        'index.js': probe,
        'recorded-order.cjs': readFileSync(path.join(import.meta.dirname, 'recorded-order.cjs'), 'utf8'),
        'recorded-order.json': orders,
        'package.json': { main: '{index.js,recorded-order.cjs}' },
      }),
      env: { PROBE_LOG: '/dev/null' },
      args: ['--enforce-keys'],
    });
    try {
      const replay = new Replay(await askedHost(host), pairs);
      const compared = [];
      for (const pair of pairs) compared.push(await replay.compare(pair));
      const differences = compared.flatMap((each) => each.differences);
      const facts = compared.reduce((sum, each) => sum + each.facts, 0);
      const used = new Set(differences.map((each) => intentionOf(each)));
      console.info(
        `${pairs.length} recorded exchanges, ${facts} facts compared, ${differences.length} differ by ${used.size} of ${INTENDED.length} intentions.`,
      );
      expect(differences.filter((each) => !intentionOf(each)).map((each) => sentence(each))).toEqual([]);
      expect(ordersOfResults(replay.answers)).toEqual(orders);
    } finally {
      await host.stop();
    }
  });
});

function recordedPairs(): Pair[] {
  const folder = path.join(RECORDINGS, 'pairs');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .toSorted()
    .map((file) => {
      const text = readFileSync(path.join(folder, file), 'utf8');
      const { request, realhost } = JSON.parse(text) as { request: Request; realhost: Answer };
      const known: [string, string][] = [
        ['ProbeReal2', '{HUB}'],
        ['ProbeReal', '{HUB}'],
        ['127.0.0.1:18071', '{HOST}'],
      ];
      return { name: file.replace('.json', ''), request, real: masked(realhost, known) };
    });
}

/** Of each instance whose activities tell its id in their results: these results, in the order in which it got them. */
function ordersOfResults(answers: Answer[]): Record<string, string[]> {
  const orders: Record<string, string[]> = {};
  for (const { instanceId, historyEvents = [] } of answers.flatMap(rowsOf)) {
    const results = historyEvents.flatMap((each) => (each.EventType === 'TaskCompleted' ? [String(each.Result)] : []));
    if (results.some((each) => each.startsWith(`${instanceId} `))) orders[instanceId] = results;
  }
  return orders;
}

/** The probe app got these after most of the exchanges had been recorded. */
function withoutLaterFunctions(answer: Answer): Answer {
  return JSON.parse(JSON.stringify(answer).replaceAll(/, '(?:giveOne|statusNull|quick)'/g, '')) as Answer;
}

interface Row {
  name: string;
  instanceId: string;
  runtimeStatus: string;
  input: unknown;
  customStatus: unknown;
  output: unknown;
  historyEvents?: { EventType: string; Result?: unknown }[];
}

/**
 * Sends the recorded requests in their order. Some recorded exchanges may be missing, so before a request it brings the instance
 * into the state in which the real host answered: starts, suspends or terminates it, and waits.
 */
class Replay {
  /** What devhost has answered. */
  readonly answers: Answer[] = [];
  readonly #host: AskedHost;
  readonly #known = new Map<string, { name: string; input: unknown }>();

  constructor(host: AskedHost, pairs: Pair[]) {
    this.#host = host;
    for (const { request, real } of pairs) {
      const [, name, id] = /\/orchestrators\/(\w+)\/([^?/]+)/.exec(request.path) ?? [];
      if (name && id && real.status === 202) this.#known.set(decodeURIComponent(id), { name, input: request.body });
      for (const row of rowsOf(real)) this.#known.set(row.instanceId, row);
    }
  }

  async compare({ name, request, real }: Pair): Promise<{ facts: number; differences: Difference[] }> {
    await this.#prepare(request, real);
    let answer = withoutLaterFunctions(await observe(this.#host, request));
    this.answers.push(answer);
    let wanted = real;
    if (/purge-multi-running/.test(name)) await this.#removeAll();
    if (Array.isArray(real.body) && Array.isArray(answer.body)) [wanted, answer] = comparableLists(wanted, answer);
    return compare(name, wanted, answer);
  }

  async #prepare({ method, path: target }: Request, real: Answer): Promise<void> {
    const [, part, operation] = /\/instances\/([^?/]+)(?:\/(\w+))?/.exec(target) ?? [];
    if (part === undefined) {
      if (Array.isArray(real.body)) for (const row of rowsOf(real)) await this.#reaches(row.instanceId, row);
      return;
    }
    const id = decodeURIComponent(part);
    const [row] = rowsOf(real);
    if (method === 'GET' && row) await this.#reaches(id, row);
    else if (real.status === 410 || operation === 'restart' || operation === 'rewind') await this.#ended(id);
    else if (real.status !== 404 && real.status !== 401) await this.#begun(id);
  }

  /** Starts the instance unless it is there. */
  async #exists(id: string): Promise<boolean> {
    const known = this.#known.get(id);
    if (!known || id.includes('{')) return false;
    if (await this.#status(id)) return true;
    const start = `${WEBHOOK}/orchestrators/${known.name}/${encodeURIComponent(id)}`;
    await ask(this.#host, { method: 'POST', path: start, body: JSON.stringify(known.input) });
    return true;
  }

  async #reaches(id: string, { runtimeStatus, customStatus, output }: Row): Promise<void> {
    if (!(await this.#exists(id))) return;
    await this.#begun(id);
    const order = { Suspended: 'suspend', Terminated: 'terminate' }[runtimeStatus];
    const status = await this.#status(id);
    if (order && status && status.runtimeStatus !== runtimeStatus && !ENDED.has(status.runtimeStatus)) {
      const reason = encodeURIComponent(String(output));
      await ask(this.#host, { method: 'POST', path: `${WEBHOOK}/instances/${id}/${order}?reason=${reason}` });
    }
    await this.#wait(id, (now) => {
      const isThere = now.runtimeStatus === runtimeStatus && ENDED.has(runtimeStatus);
      return (
        isThere ||
        JSON.stringify([now.runtimeStatus, now.customStatus]) === JSON.stringify([runtimeStatus, customStatus])
      );
    });
  }

  async #begun(id: string): Promise<void> {
    if (await this.#exists(id)) await this.#wait(id, (now) => now.runtimeStatus !== 'Pending');
  }

  async #ended(id: string): Promise<void> {
    if (await this.#exists(id)) await this.#wait(id, (now) => ENDED.has(now.runtimeStatus));
  }

  /** The comparison tells what is wrong if the state is never reached. */
  async #wait(id: string, reached: (row: Row) => boolean): Promise<void> {
    const check = async () => {
      const now = await this.#status(id);
      return now === undefined || reached(now) || ENDED.has(now.runtimeStatus);
    };
    await until(check).catch(() => undefined);
  }

  async #status(id: string): Promise<Row | undefined> {
    const response = await ask(this.#host, { method: 'GET', path: `${WEBHOOK}/instances/${encodeURIComponent(id)}` });
    return response.status < 300 ? ((await response.json()) as Row) : undefined;
  }

  /** What the real host did when it was asked to purge what runs. */
  async #removeAll(): Promise<void> {
    const list = await ask(this.#host, {
      method: 'GET',
      path: `${WEBHOOK}/instances?runtimeStatus=Running,Suspended&top=500`,
    });
    for (const { instanceId } of (await list.json()) as Row[]) {
      await ask(this.#host, { method: 'POST', path: `${WEBHOOK}/instances/${instanceId}/terminate` });
      await this.#ended(instanceId);
    }
    await ask(this.#host, { method: 'DELETE', path: `${WEBHOOK}/instances?createdTimeFrom=2000-01-01T00:00:00Z` });
  }
}

function rowsOf({ body }: Answer): Row[] {
  const rows = Array.isArray(body) ? body : [body];
  return rows.filter((each: unknown): each is Row => {
    return typeof each === 'object' && each !== null && 'runtimeStatus' in each && 'instanceId' in each;
  });
}

/** Ids made by a host sort by chance, and exchanges that are missing leave rows out: rows are compared that both lists have. */
function comparableLists(real: Answer, devhost: Answer): [Answer, Answer] {
  const byId = (answer: Answer) => new Map(rowsOf(answer).map((row) => [row.instanceId, row] as const));
  const [wanted, found] = [byId(real), byId(devhost)];
  const both = (from: Map<string, Row>) =>
    [...from.values()].filter(
      ({ instanceId }) => wanted.has(instanceId) && found.has(instanceId) && !instanceId.includes('{'),
    );
  const count = (answer: Answer) => (answer.body as unknown[]).length > 0;
  const same = (answer: Answer, rows: Row[]): Answer => {
    const { 'x-ms-continuation-token': token, ...headers } = answer.headers;
    return { ...answer, headers, body: { more: token !== undefined, some: count(answer), rows } };
  };
  return [same(real, both(wanted)), same(devhost, both(found))];
}
