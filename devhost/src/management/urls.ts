/** The public door of the management API; the second one is for the app's own client and needs no key. */
export const WEBHOOK_PATH = '/runtime/webhooks/durabletask';
export const RPC_PATH = '/runtime/rpc/durabletask';

/** What URLs carry as their key where the host asks for none: clients expect one. */
export const NO_KEY = 'local';

/** The name of the setting with the connection string, as the URLs carry it. */
export const CONNECTION = 'AzureWebJobsStorage';

/** The management URLs of an instance, `{eventName}` and `{text}` left for the caller. */
export function managementUrls(origin: string, hub: string, instanceId: string, key: string): Record<string, string> {
  const base = `${origin}${WEBHOOK_PATH}/instances/${encodeURIComponent(instanceId)}`;
  const query = `taskHub=${hub}&connection=${CONNECTION}&code=${key}`;
  const withReason = (operation: string) => `${base}/${operation}?reason={text}&${query}`;
  return {
    statusQueryGetUri: `${base}?${query}`,
    sendEventPostUri: `${base}/raiseEvent/{eventName}?${query}`,
    terminatePostUri: withReason('terminate'),
    purgeHistoryDeleteUri: `${base}?${query}`,
    restartPostUri: `${base}/restart?${query}`,
    suspendPostUri: withReason('suspend'),
    resumePostUri: withReason('resume'),
  };
}

/**
 * The JSON text every durableClient binding receives. `managementUrls.id` is the text the SDK replaces by the instance
 * id, and `rpcBaseUrl` must end in a slash: the SDK resolves relative URLs against it (durable-functions getClient.js).
 */
export function clientPayload(hub: string, publicOrigin: string, rpcBaseUrl: string, key: string): string {
  const id = 'INSTANCEID';
  const base = `${publicOrigin}${WEBHOOK_PATH}`;
  const urls = managementUrls(publicOrigin, hub, id, key);
  const rewind = `${base}/instances/${id}/rewind?reason={text}&taskHub=${hub}&connection=${CONNECTION}&code=${key}`;
  const create = `${base}/orchestrators/{functionName}[/{instanceId}]`;
  return JSON.stringify({
    taskHubName: hub,
    connectionName: null,
    creationUrls: {
      createNewInstancePostUri: `${create}?code=${key}`,
      createAndWaitOnNewInstancePostUri: `${create}?timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}&code=${key}`,
    },
    managementUrls: { id, ...urls, rewindPostUri: rewind },
    baseUrl: base,
    requiredQueryStringParameters: `code=${key}`,
    rpcBaseUrl,
    httpBaseUrl: null,
    maxGrpcMessageSizeInBytes: null,
    grpcHttpClientTimeout: null,
  });
}
