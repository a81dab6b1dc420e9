// What users must not touch: models, one job-JOB of records for each job, claims, the queue of new media, the state of the Functions host and
// of Durable Functions, and the package of the app.
param location string
param tags object
param name string
param sku string
param inNetwork bool
param subnetIds string[]
param allowedAddresses string[]
param keepRecordsDays int
param logAccess bool
param workspaceId string
param pageOrigin string

// The longest that a job can be told to run: timeouts.jobSeconds.
var longestJobDays = 30

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowedCopyScope: 'AAD'
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      defaultAction: inNetwork ? 'Deny' : 'Allow'
      // Event Grid puts events into a queue.
      bypass: 'AzureServices'
      virtualNetworkRules: [for id in subnetIds: { id: id, action: 'Allow' }]
      // Storage refuses a range of one address.
      ipRules: [
        for address in (inNetwork ? allowedAddresses : []): { value: replace(address, '/32', ''), action: 'Allow' }
      ]
    }
  }
}

// Nothing is kept after it was deleted: leases and history are overwritten all the time, and each version would be paid for.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    // The page of the app reads pictures and records by script, and uploads; each request is signed.
    cors: {
      corsRules: [
        {
          allowedOrigins: [pageOrigin]
          allowedMethods: ['GET', 'HEAD', 'PUT', 'OPTIONS']
          allowedHeaders: ['content-type', 'if-none-match', 'range', 'x-ms-*']
          exposedHeaders: ['etag', 'content-range', 'x-ms-*']
          maxAgeInSeconds: 3600
        }
      ]
    }
    deleteRetentionPolicy: { enabled: false }
    containerDeleteRetentionPolicy: { enabled: false }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for container in ['models', 'app-package']: {
    parent: blobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource inbox 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [
  for queue in ['inbox-events', 'inbox-events-poison']: {
    parent: queues
    name: queue
  }
]

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

// The second line behind the app, as in media-storage.bicep.
resource rules 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  dependsOn: [blobs]
  properties: {
    policy: {
      rules: [
        {
          name: 'records'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['job-'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: keepRecordsDays + longestJobDays } } }
          }
        }
      ]
    }
  }
}

var accesses = logAccess
  ? [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  : []
var measures = [{ category: 'Transaction', enabled: true }]

resource ofAccount 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account
  properties: { workspaceId: workspaceId, metrics: measures }
}

resource ofBlobs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: blobs
  properties: { workspaceId: workspaceId, metrics: measures, logs: accesses }
}

resource ofQueues 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: queues
  properties: { workspaceId: workspaceId, metrics: measures, logs: accesses }
}

resource ofTables 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: tables
  properties: { workspaceId: workspaceId, metrics: measures, logs: accesses }
}

output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output tableEndpoint string = account.properties.primaryEndpoints.table
