import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { startHost } from '../support/host-process.js';
import { HubTables } from '../support/hub-tables.js';
import { temporaryApp } from '../support/temporary-app.js';
import { until } from '../support/until.js';
import { compare, sentence } from './compare.js';
import { ask } from './exchange.js';
import { intentionOf } from './intended-differences.js';
import { columnValue, type Row, rowAnswer, RowReader } from './rows.js';

const RECORDINGS = path.resolve(import.meta.dirname, '../../../../shared/recordings/realhost');
const isPresent = existsSync(RECORDINGS);
if (!isPresent) console.warn(`The recorded rows of the real host are not compared: there is no ${RECORDINGS}.`);

/** Recorded files, the name of the hub that each tells of, and how many rows of its history were kept at most. */
const FILES = [
  ['rows-probe2-realhost.json', 'ProbeReal2'],
  ['rows-cross-written-by-realhost.json', 'CrossA'],
] as const;

describe.runIf(isPresent)('the recorded rows of the real host', () => {
  it.each(FILES)(
    '(%s) are devhost’s too, but for the intended differences',
    { timeout: 400_000 },
    async (file, hubName) => {
      const { tables } = JSON.parse(readFileSync(path.join(RECORDINGS, 'rows', file), 'utf8')) as {
        tables: Record<string, { rows: Row[] }>;
      };
      const rowsOf = (suffix: string) => Object.entries(tables).find(([name]) => name.endsWith(suffix))?.[1].rows ?? [];
      const probe = readFileSync(path.join(RECORDINGS, 'probe/index.js'), 'utf8');
      const files = { 'index.js': probe, 'package.json': { main: 'index.js' }, 'host.json': HOST_JSON };
      const host = await startHost({ app: temporaryApp(files), env: { PROBE_LOG: '/dev/null' } });
      try {
        const instances = rowsOf('Instances').filter((row) => columnValue(row['RuntimeStatus']) !== 'Running');
        const started = instances.filter((row) => columnValue(row['ParentInstanceId']) === '');
        const hub = new HubTables(host.hub);
        const reader = new RowReader(host.hub);
        await Promise.all(started.map((row) => run(host.url, hub, row)));
        const own = await reader.all('instances');
        const compared = instances.flatMap((row) => {
          const same = own.find(({ partitionKey }) => partitionKey === row.partitionKey);
          return same
            ? [compare(`instance ${row.partitionKey}`, rowAnswer(row, hubName), rowAnswer(same, host.hub))]
            : [];
        });
        const history = await reader.all('history');
        for (const partition of new Set(rowsOf('History').map(({ partitionKey }) => partitionKey))) {
          const rows = rowsOf('History').filter(({ partitionKey }) => partitionKey === partition);
          // Of the last instance in the file some rows were not kept, and parallel work is in any order.
          const children = rows.filter((row) => columnValue(row['EventType']) === 'SubOrchestrationInstanceCreated');
          if (!rows.some(({ rowKey }) => rowKey === 'sentinel') || children.length > 1) continue;
          for (const row of rows) {
            const same = history.find((each) => each.partitionKey === row.partitionKey && each.rowKey === row.rowKey);
            const name = `history ${row.partitionKey} ${row.rowKey}`;
            if (same) compared.push(compare(name, rowAnswer(row, hubName), rowAnswer(same, host.hub)));
          }
        }
        const differences = compared.flatMap((each) => each.differences);
        console.info(
          `${file}: ${compared.length} rows, ${compared.reduce((sum, { facts }) => sum + facts, 0)} facts compared.`,
        );
        expect(compared.length).toBeGreaterThan(20);
        expect(differences.filter((each) => !intentionOf(each)).map((each) => sentence(each))).toEqual([]);
      } finally {
        await host.stop();
      }
    },
  );
});

const HOST_JSON = { version: '2.0', extensions: { durableTask: { hubName: '%HUB%' } } };

/** Runs the orchestration of a recorded row until the row of its own has the same status. */
async function run(url: string, hub: HubTables, row: Row): Promise<void> {
  const start = `/runtime/webhooks/durabletask/orchestrators/${columnValue(row['Name'])}/${row.partitionKey}`;
  await ask({ url, key: '' }, { method: 'POST', path: start, body: columnValue(row['Input']) });
  await until(async () => {
    const { RuntimeStatus } = await hub.instances.getEntity<{ RuntimeStatus: string }>(row.partitionKey, '');
    return RuntimeStatus === columnValue(row['RuntimeStatus']);
  });
}
