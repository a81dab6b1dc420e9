import type { Sink, TelemetryRecord } from '../../src/telemetry/records.js';

/** Keeps what telemetry is told. */
export function keepRecords(): Sink & { records: TelemetryRecord[] } {
  const records: TelemetryRecord[] = [];
  return { records, report: (more) => void records.push(...more), flush: () => Promise.resolve() };
}
