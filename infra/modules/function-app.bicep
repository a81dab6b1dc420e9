// The Functions app and its plan.
param location string
param tags object
param name string
param plan string
param mostInstances int
param identityId string
param identityClientId string
param mediaBlobEndpoint string
param internalBlobEndpoint string
param internalQueueEndpoint string
param internalTableEndpoint string
param insightsConnection string
param workspaceId string
@description('Empty: the app is in no network.')
param subnetId string
param allowedAddresses string[]
@description('Empty: callers need a function key.')
param entraClientId string
param taskHub string
param partitionCount int
@description('Of the Durable Task Scheduler. Empty: Durable Functions keeps its state in the internal account.')
param schedulerEndpoint string
param keepFramesDays int
param keepRecordsDays int
param containerIdentityId string
param containerRegions string[]
@description('Empty: container groups are in no network.')
param containerGroupsSubnetId string
param containerAppsEnvironmentId string
param image string
param gpu string
param gpuImage string
param moreSettings object

var isFlex = plan == 'FlexConsumption'
var allowed = [
  for (address, index) in allowedAddresses: {
    name: 'allowed-${index}'
    ipAddress: contains(address, '/') ? address : '${address}/32'
    action: 'Allow'
    priority: 100 + index
  }
]
var packages = '${internalBlobEndpoint}app-package'

resource farm 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: isFlex ? 'functionapp' : 'elastic'
  sku: isFlex ? { tier: 'FlexConsumption', name: 'FC1' } : { tier: 'ElasticPremium', name: plan }
  properties: union({ reserved: true }, isFlex ? {} : { maximumElasticWorkerCount: mostInstances })
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: farm.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    outboundVnetRouting: empty(subnetId) ? null : { allTraffic: true }
    sshEnabled: false
    // Whoever names a secret of a key vault as a setting lets this identity read it.
    keyVaultReferenceIdentity: identityId
    functionAppConfig: isFlex
      ? {
          deployment: {
            storage: {
              type: 'blobContainer'
              value: packages
              authentication: {
                type: 'UserAssignedIdentity'
                userAssignedIdentityResourceId: identityId
              }
            }
          }
          runtime: { name: 'node', version: '22' }
          scaleAndConcurrency: {
            // Azure takes no less.
            maximumInstanceCount: max(mostInstances, 40)
            instanceMemoryMB: 4096
            alwaysReady: [{ name: 'durable', instanceCount: 1 }]
          }
        }
      : null
    siteConfig: union(
      {
        minTlsVersion: '1.2'
        scmMinTlsVersion: '1.2'
        ftpsState: 'Disabled'
        http20Enabled: true
        remoteDebuggingEnabled: false
        ipSecurityRestrictionsDefaultAction: empty(allowedAddresses) ? 'Allow' : 'Deny'
        ipSecurityRestrictions: allowed
      },
      // In a network the platform itself has to watch the queues to know how many instances are due.
      isFlex ? {} : { linuxFxVersion: 'Node|22', functionsRuntimeScaleMonitoringEnabled: !empty(subnetId) }
    )
  }

  // Nobody deploys with a password.
  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }
}

var host = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: internalBlobEndpoint
  AzureWebJobsStorage__queueServiceUri: internalQueueEndpoint
  AzureWebJobsStorage__tableServiceUri: internalTableEndpoint
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  // Which of the app's identities logs in.
  AZURE_CLIENT_ID: identityClientId
}

// Without a share for its content, which would need a key of the account, the app is mounted from its package.
var premium = isFlex
  ? {}
  : {
      FUNCTIONS_EXTENSION_VERSION: '~4'
      FUNCTIONS_WORKER_RUNTIME: 'node'
      WEBSITE_RUN_FROM_PACKAGE: '${packages}/app.zip'
      WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: identityId
    }

// Each of these stands for a value of host.json.
var durable = empty(schedulerEndpoint)
  ? {
      AzureFunctionsJobHost__extensions__durableTask__hubName: taskHub
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__partitionCount: string(partitionCount)
    }
  : {
      AzureFunctionsJobHost__extensions__durableTask__hubName: taskHub
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__type: 'azureManaged'
      AzureFunctionsJobHost__extensions__durableTask__storageProvider__connectionStringName: 'DURABLE_TASK_SCHEDULER_CONNECTION_STRING'
      DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${identityClientId};TaskHub=${taskHub}'
    }

// Microsoft's own advice for this plan: an idle queue is asked every 10 seconds, not every 30.
var flexDurable = isFlex && empty(schedulerEndpoint)
  ? { AzureFunctionsJobHost__extensions__durableTask__storageProvider__maxQueuePollingInterval: '00:00:10' }
  : {}

var jobs = {
  MEDIA_STORAGE__blobServiceUri: mediaBlobEndpoint
  MEDIA_STORAGE__clientId: identityClientId
  KEEP_FRAMES_DAYS: string(keepFramesDays)
  KEEP_RECORDS_DAYS: string(keepRecordsDays)
}

var authentication = empty(entraClientId) ? {} : { AUTHENTICATION: 'entra' }

var containers = {
  AZURE_SUBSCRIPTION_ID: subscription().subscriptionId
  ACI_RESOURCE_GROUP: resourceGroup().name
  ACI_REGIONS: join(containerRegions, ',')
  ACI_IMAGE: image
  ACI_IDENTITY_ID: containerIdentityId
  CONTAINER_APPS_ENVIRONMENT_ID: containerAppsEnvironmentId
  CONTAINER_APPS_IMAGE: image
  CONTAINER_APPS_IDENTITY_ID: containerIdentityId
}

var gpuContainers = gpu == 'none' ? {} : { CONTAINER_APPS_GPU: gpu, CONTAINER_APPS_GPU_IMAGE: gpuImage }

// The name server is Azure's own, which knows the private names of the accounts.
var containersInNetwork = empty(containerGroupsSubnetId)
  ? {}
  : { ACI_SUBNET_ID: containerGroupsSubnetId, ACI_DNS_SERVERS: '168.63.129.16' }

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: union(
    host,
    premium,
    durable,
    flexDurable,
    jobs,
    authentication,
    containers,
    gpuContainers,
    containersInNetwork,
    moreSettings
  )
}

// Nobody's request reaches the app without a token for it; the app itself asks who it is from.
resource callers 'Microsoft.Web/sites/config@2024-11-01' = if (!empty(entraClientId)) {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: true }
    globalValidation: { requireAuthentication: true, unauthenticatedClientAction: 'Return401' }
    httpSettings: { requireHttps: true }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: entraClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: { allowedAudiences: [entraClientId, 'api://${entraClientId}'] }
      }
    }
    login: { tokenStore: { enabled: false } }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FunctionAppLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
