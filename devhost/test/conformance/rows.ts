import { HubTables } from '../support/hub-tables.js';
import { type Answer, masked } from './exchange.js';

/** A column as the table service hands it out when types are not converted, or a key. */
export type Column = string | { type: string; value: string };
export type Row = Record<string, Column> & { partitionKey: string; rowKey: string };

/** A row in the form in which answers are compared: its columns with their types, whatever changes from run to run masked. */
export function rowAnswer(row: Row, hub: string): Answer {
  const columns = Object.entries(row).filter(([name]) => !OWN.has(name));
  const texts = columns.map(([name, column]) => {
    const type = typeof column === 'string' ? 'String' : (column.type ?? 'String');
    return [name, `${type} ${columnValue(column)}`] as const;
  });
  return masked({ status: 200, headers: {}, body: Object.fromEntries(texts) }, [[hub, '{HUB}']]);
}

/** What storage adds to every row, and its keys. */
const OWN = new Set(['etag', 'timestamp', 'partitionKey', 'rowKey', 'odata.metadata']);

export const columnValue = (column: Column | undefined) =>
  typeof column === 'string' ? column : (column?.value ?? '');

/** Reads rows of a hub with the types of their columns. */
export class RowReader {
  readonly #hub: string;
  readonly #tables: HubTables;

  constructor(hub: string) {
    this.#hub = hub;
    this.#tables = new HubTables(hub);
  }

  async read(table: 'instances' | 'history', partition: string, rowKey: string): Promise<Answer> {
    const row = await this.#tables[table].getEntity<Row>(partition, rowKey, { disableTypeConversion: true });
    return rowAnswer(row, this.#hub);
  }

  async all(table: 'instances' | 'history'): Promise<Row[]> {
    const rows: Row[] = [];
    for await (const row of this.#tables[table].listEntities<Row>({ disableTypeConversion: true })) rows.push(row);
    return rows;
  }
}
