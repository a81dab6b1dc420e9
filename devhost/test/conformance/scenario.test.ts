import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { startHost } from '../support/host-process.js';
import { until } from '../support/until.js';
import { compare, sentence } from './compare.js';
import { ask, type AskedHost, askedHost, observe } from './exchange.js';
import { EXCHANGES } from './expected-answers.js';
import { ROWS } from './expected-rows.js';
import { INTENDED, intentionOf } from './intended-differences.js';
import { RowReader } from './rows.js';

it('devhost answers as the real host, but for the intended differences', async () => {
  const running = await startHost({ app: 'conformance', args: ['--enforce-keys'] });
  try {
    const host = await askedHost(running);
    const compared = [];
    await ask(host, { method: 'POST', path: '/runtime/webhooks/durabletask/orchestrators/long/long-ran', body: 1 });
    for (const { name, after, request, answer } of EXCHANGES) {
      if (after) await reached(host, ...after);
      compared.push(compare(name, answer, await observe(host, request)));
    }
    const rows = new RowReader(running.hub);
    for (const { partition, columns, ...row } of ROWS) {
      const found = await rows.read(row.table, partition, row.rowKey);
      compared.push(compare(`row ${partition} ${row.rowKey}`, { status: 200, headers: {}, body: columns }, found));
    }
    const differences = compared.flatMap((each) => each.differences);
    const facts = compared.reduce((sum, each) => sum + each.facts, 0);
    console.info(
      `${EXCHANGES.length} exchanges, ${ROWS.length} rows, ${facts} facts compared, ${differences.length} differ on purpose.`,
    );
    expect(differences.filter((each) => !intentionOf(each)).map((each) => sentence(each))).toEqual([]);
    const documented = readFileSync(path.resolve(import.meta.dirname, '../../docs/differences.md'), 'utf8');
    expect(INTENDED.filter(({ what, why }) => !documented.includes(what) || !documented.includes(why))).toEqual([]);
    const used = new Set(differences.map((each) => intentionOf(each)));
    expect(INTENDED.filter((each) => !used.has(each)).map(({ what }) => what)).toEqual([]);
  } finally {
    await running.stop();
  }
});

async function reached(host: AskedHost, id: string, status: string): Promise<void> {
  await until(async () => {
    const request = { method: 'GET', path: `/runtime/webhooks/durabletask/instances/${encodeURIComponent(id)}` };
    const { runtimeStatus } = (await (await ask(host, request)).json()) as { runtimeStatus: string };
    return runtimeStatus === status;
  });
}
