/**
 * What bundle.mjs makes of the package `applicationinsights`: the client that fills in envelopes, without all that collects by itself,
 * sends, prints and reads settings and files.
 */
export { TelemetryClient } from 'applicationinsights';
