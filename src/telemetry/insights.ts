import type { TokenCredential } from '@azure/identity';
import { messageOf } from '../job/failure.js';
import type { Importance, Line } from './backlog.js';
import type { InsightsLogin, InsightsSettings } from './insights-settings.js';
import type { Role, Sink, Span, TelemetryEvent, TelemetryRecord } from './records.js';
import { createSender } from './sender.js';

const ROLES: Record<Role, string> = {
  app: 'durable-batch-scoring',
  scorer: 'durable-batch-scoring-scorer',
  host: 'durable-batch-scoring-host',
};

/** Longest time that a flush takes. */
const FLUSH_MS = 4500;
/** Records that are told before the client has loaded, which takes a moment, or when it cannot be loaded. */
const MOST_EARLY = 1000;

export interface InsightsPorts {
  /** How the app logs in to Azure. */
  login: (clientId: InsightsLogin['clientId']) => TokenCredential;
  /** Is told, once a minute at most, what does not arrive and why. */
  warn: (message: string) => void;
}

/**
 * Takes records to Application Insights. The client loads at once, beside whatever else goes on. Nothing is sampled.
 */
export function createInsightsSink(settings: InsightsSettings, { login, warn }: InsightsPorts): Sink {
  const credential = settings.login && login(settings.login.clientId);
  const sender = createSender({ settings, credential, warn });
  let early: TelemetryRecord[] = [];
  let toEnvelope: ((record: TelemetryRecord) => string) | undefined;

  const lineOf = (record: TelemetryRecord, write: (record: TelemetryRecord) => string): Line[] => {
    try {
      return [{ importance: importanceOf(record), json: write(record) }];
    } catch (error) {
      warn(`${record.name} of a job cannot be told to Application Insights: ${messageOf(error)}`);
      return [];
    }
  };
  const loading = load();

  async function load(): Promise<void> {
    try {
      const write = await loadClient(settings);
      toEnvelope = write;
      sender.add(early.flatMap((record) => lineOf(record, write)));
      early = [];
    } catch (error) {
      warn(`Nothing is told to Application Insights, whose client does not load: ${messageOf(error)}`);
    }
  }

  return {
    report(records) {
      const write = toEnvelope;
      if (write) sender.add(records.flatMap((record) => lineOf(record, write)));
      else early.push(...records.slice(0, MOST_EARLY - early.length));
    },
    async flush() {
      await loading;
      await sender.flush(FLUSH_MS);
    },
  };
}

function importanceOf(record: TelemetryRecord): Importance {
  if (record.type === 'event') return 'event';
  return record.kind === 'internal' ? 'step' : 'span';
}

/** How a record becomes an envelope, as JSON. */
async function loadClient({ key, endpoint }: InsightsSettings): Promise<(record: TelemetryRecord) => string> {
  const { TelemetryClient } = await import('./application-insights.js');
  const client = new TelemetryClient(`InstrumentationKey=${key};IngestionEndpoint=${endpoint}`);
  // Without it the environment may set another.
  client.config.samplingPercentage = 100;
  let json = '';
  client.addTelemetryProcessor((envelope) => {
    json = JSON.stringify(envelope);
    // The client's own way out is not taken.
    return false;
  });
  return (record) => {
    if (record.type === 'event') client.trackEvent(asEvent(record));
    else if (record.kind === 'server' || record.kind === 'consumer') client.trackRequest(asRequest(record));
    else client.trackDependency(asDependency(record));
    return json;
  };
}

/** The tags that say where a record belongs. */
function tagsOf({ traceId, parentId, role }: TelemetryRecord): Record<string, string> {
  return {
    'ai.cloud.role': ROLES[role],
    'ai.operation.id': traceId,
    ...(parentId !== undefined && { 'ai.operation.parentId': parentId }),
  };
}

/** An event of Application Insights has no id, so it is a dimension. */
const asEvent = (event: TelemetryEvent) => ({
  name: event.name,
  time: new Date(event.time),
  properties: { ...event.dimensions, id: event.id },
  measurements: event.measurements,
  tagOverrides: tagsOf(event),
});

const asRequest = (span: Span) => ({
  ...intervalOf(span),
  url: '',
  tagOverrides: { ...tagsOf(span), 'ai.operation.name': span.name },
});

/** The types are those that Azure's OpenTelemetry exporter gives; `data`, a call's text, says nothing more than the name. */
const asDependency = (span: Span) => ({
  ...intervalOf(span),
  dependencyTypeName: span.kind === 'internal' ? 'InProc' : 'Dependency',
  data: '',
  tagOverrides: tagsOf(span),
});

/** A failure is counted under who is to blame for it. */
const intervalOf = ({ id, name, start, end, ok, dimensions }: Span) => ({
  id,
  name,
  time: new Date(start),
  duration: Date.parse(end) - Date.parse(start),
  success: ok,
  resultCode: ok ? '0' : (dimensions.blame ?? '1'),
  properties: dimensions,
});
