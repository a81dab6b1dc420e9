// What users bring and take: the containers inbox, styles, outbox and quarantine, and one work-JOB for the frames of each job.
param location string
param tags object
param name string
param sku string
param inNetwork bool
param subnetIds string[]
param allowedAddresses string[]
param keepFramesDays int
param keepRecordsDays int
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
      // Events of the account come from a service of Azure.
      bypass: 'AzureServices'
      virtualNetworkRules: [for id in subnetIds: { id: id, action: 'Allow' }]
      // Storage refuses a range of one address.
      ipRules: [
        for address in (inNetwork ? allowedAddresses : []): { value: replace(address, '/32', ''), action: 'Allow' }
      ]
    }
  }
}

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
    deleteRetentionPolicy: { enabled: true, days: 7 }
    // The app removes a job's frames with their container; kept for a week, they would be paid for a week.
    containerDeleteRetentionPolicy: { enabled: false }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [
  for container in ['inbox', 'styles', 'outbox', 'quarantine']: {
    parent: blobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

// The app itself removes frames and records in time, and knows which jobs still run or were told to keep theirs. A rule knows only when a
// blob was written: it is the second line, for what the app has lost sight of.
resource rules 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  dependsOn: [blobs]
  properties: {
    policy: {
      rules: [
        {
          name: 'frames'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['work-'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: keepFramesDays + longestJobDays } } }
          }
        }
        {
          name: 'quarantine'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['quarantine/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: keepRecordsDays } } }
          }
        }
      ]
    }
  }
}

resource measures 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account
  properties: { workspaceId: workspaceId, metrics: [{ category: 'Transaction', enabled: true }] }
}

resource accesses 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

output name string = account.name
output blobEndpoint string = account.properties.primaryEndpoints.blob
