import { expect, test } from 'vitest';
import { readInsightsSettings } from '../../../src/telemetry/insights-settings.js';
import { type Envelope, startIngestion } from '../../support/ingestion.js';
import { recordJobs, rowOf, tellOfJobs, toTables } from '../../support/recorded-jobs.js';

const TABLES = { RequestData: 'requests', RemoteDependencyData: 'dependencies', EventData: 'customEvents' } as const;

/** The row that Application Insights makes of an envelope. */
const rowOfEnvelope = ({ data: { baseType, baseData } }: Envelope) => ({
  table: TABLES[baseType],
  name: baseData.name,
  dimensions: baseData.properties,
  measurements: baseData.measurements ?? {},
});

test('Application Insights gets the very tables, names, dimensions and measurements that the queries are held against', async () => {
  const ingestion = await startIngestion();
  try {
    const settings = readInsightsSettings({ APPLICATIONINSIGHTS_CONNECTION_STRING: ingestion.connectionString });
    if (settings === undefined) throw new Error('There is a connection string.');
    const unexpected = (what: unknown) => {
      throw new Error(`Unexpected: ${String(what)}`);
    };
    const { createInsightsSink } = await import('../../../dist/telemetry/insights.js');
    await tellOfJobs([createInsightsSink(settings, { login: unexpected, warn: unexpected })]);
    expect(toTables(ingestion.accepted.map(rowOfEnvelope))).toEqual(toTables((await recordJobs()).map(rowOf)));
    expect(ingestion.accepted).not.toEqual([]);
  } finally {
    await ingestion.stop();
  }
});
