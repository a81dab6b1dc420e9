import { TableClient } from '@azure/data-tables';
import { inject } from 'vitest';

export type Row = Record<string, unknown> & { partitionKey: string; rowKey: string };

/** The tables of a hub, to look at and to tamper with. */
export class HubTables {
  readonly instances: TableClient;
  readonly history: TableClient;

  constructor(private readonly hub: string) {
    this.instances = this.open('Instances');
    this.history = this.open('History');
  }

  open(name: string): TableClient {
    return TableClient.fromConnectionString(inject('storage'), this.hub + name, { allowInsecureConnection: true });
  }

  /** All rows of an instance's history partition. */
  async rows(id: string): Promise<Row[]> {
    const found: Row[] = [];
    const queryOptions = { filter: `PartitionKey eq '${id}'` };
    for await (const row of this.history.listEntities({ queryOptions })) found.push(row as Row);
    return found;
  }

  async change(id: string, columns: Record<string, unknown>): Promise<void> {
    await this.instances.updateEntity({ partitionKey: id, rowKey: '', ...columns }, 'Merge');
  }

  /** Removes events from the given one on. */
  async cut(id: string, from: number): Promise<void> {
    const events = (await this.rows(id)).filter(({ rowKey }) => rowKey !== 'sentinel');
    for (const { rowKey } of events.slice(from)) await this.history.deleteEntity(id, rowKey);
  }

  /** Puts an instance back to the state after its first turn. */
  async forgetAllButFirstTurn(id: string): Promise<void> {
    const kept = (await this.rows(id)).findIndex((row) => row['EventType'] === 'OrchestratorCompleted') + 1;
    await this.cut(id, kept);
    await this.change(id, { RuntimeStatus: 'Running' });
  }

  /** Takes the columns away in which traces are kept, as if a host without traces had written the instance. */
  async forgetTrace(id: string): Promise<void> {
    const history = await this.rows(id);
    const instance = (await this.instances.getEntity(id, '')) as Row;
    for (const [table, rows] of [[this.history, history] as const, [this.instances, [instance]] as const]) {
      for (const { ParentTraceContext, ...rest } of rows)
        if (ParentTraceContext !== undefined) await table.updateEntity(rest, 'Replace');
    }
  }

  async forget(id: string): Promise<void> {
    for (const { rowKey } of await this.rows(id)) await this.history.deleteEntity(id, rowKey);
    await this.instances.deleteEntity(id, '');
  }
}
