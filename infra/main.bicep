// Everything that a deployment needs, in one resource group that it makes. docs/deploy.md says how to run it and what each choice costs.
targetScope = 'subscription'

@description('Name of the deployment; azd asks for it. Names of resources are made of it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Region of everything.')
@minLength(1)
param location string

@description('Plan of the Functions app. EP1 has room on its disk for whole videos; FlexConsumption has little, and costs less at rest.')
@allowed(['EP1', 'FlexConsumption'])
param plan string = 'EP1'

@description('Most instances of the app that run at once.')
@minValue(1)
@maxValue(100)
param mostInstances int = 5

@description('Who reaches the storage accounts. public: whoever logs in. serviceEndpoints, privateEndpoints: the app and its containers from a virtual network with a NAT gateway, and allowedAddresses.')
@allowed(['public', 'serviceEndpoints', 'privateEndpoints'])
param network string = 'public'

@description('Public IPv4 addresses and ranges (203.0.113.7, 198.51.100.0/24) from which people reach the app and, unless network is public, storage. Empty: the app answers everybody who has a key, and in a network storage nobody from outside.')
@maxLength(100)
param allowedAddresses string[] = []

@description('GPU of the containers in Container Apps. It costs nothing until a job asks for one.')
@allowed(['none', 'T4', 'A100'])
param gpu string = 'none'

@description('Regions of container groups, tried one after another. In a virtual network they all run in the region of that.')
@minLength(1)
param containerRegions string[] = [location]

@description('Image of the scorer. Empty: scorer:TAG in the registry that is made.')
param scorerImage string = ''

@description('Image of the scorer with CUDA. Empty: scorer-cuda:TAG in the registry that is made.')
param scorerGpuImage string = ''

@description('TAG of these images.')
@minLength(1)
@maxLength(128)
param scorerTag string = '1'

@description('Size of the registry: Basic has 10 GiB, Standard 100 GiB.')
@allowed(['Basic', 'Standard', 'Premium'])
param registrySku string = 'Basic'

@description('How often storage keeps a blob: within one building (LRS), in three (ZRS), or in two regions (GRS).')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS'])
param storageSku string = 'Standard_LRS'

@description('For how many days after its end a job that failed or was cancelled keeps its frames.')
@minValue(1)
@maxValue(365)
param keepFramesDays int = 3

@description('For how many days after its end a job keeps its manifest, logs and contact sheet.')
@minValue(1)
@maxValue(3650)
param keepRecordsDays int = 30

@description('Where Durable Functions keeps its state. DurableTaskScheduler costs by the action or by the unit.')
@allowed(['AzureStorage', 'DurableTaskScheduler'])
param durableBackend string = 'AzureStorage'

@description('How the Durable Task Scheduler is paid: by the action or by the unit.')
@allowed(['Consumption', 'Dedicated'])
param schedulerSku string = 'Consumption'

@description('Control queues of the task hub. A hub keeps the number that it was made with, so its name has the number in it.')
@minValue(1)
@maxValue(16)
param partitionCount int = 8

@description('Whether the network, the containers and the jobs get roles of their own, with nothing but what the app does. Needs Microsoft.Authorization/roleDefinitions/write; without it, the nearest built-in roles are assigned.')
param customRoles bool = true

@description('Which accesses to storage are logged: those to the blobs of the media account, or those to everything, which is much, since Durable Functions asks its queues all the time.')
@allowed(['media', 'all'])
param storageLogs string = 'media'

@description('For how many days logs and telemetry are kept. More than 31 cost extra.')
@minValue(30)
@maxValue(730)
param logDays int = 30

@description('Client id of the application in Entra ID for which callers of the app need a token. Empty: they need a function key.')
param entraClientId string = ''

@description('E-mail address that alerts go to. Empty: alerts are seen in the portal only.')
param alertEmail string = ''

@description('Object id of whoever deploys, who may then put the package of the app into storage. Only EP1 needs it.')
param deployerId string = ''

@description('What whoever deploys is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param deployerType string = 'User'

@description('More settings of the app, by their names in docs/running.md; they replace those of the template. No secrets: whoever reads the deployment reads them. Name one in a key vault, as in @Microsoft.KeyVault(SecretUri=…).')
param moreSettings object = {}

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var inNetwork = network != 'public'
var appName = 'func-${token}'
// Where the page is that the app serves.
var pageOrigin = 'https://${appName}.azurewebsites.net'

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-${environmentName}-${location}'
  location: location
  tags: tags
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token, logDays: logDays }
}

module workbook 'monitoring/main.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    componentName: monitoring.outputs.componentName
    alertEmail: alertEmail
  }
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token }
}

module net 'modules/network.bicep' = if (inNetwork) {
  scope: group
  params: { location: location, tags: tags, token: token, plan: plan, workspaceId: monitoring.outputs.workspaceId }
}

module media 'modules/media-storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: 'stmedia${token}'
    sku: storageSku
    subnetIds: net.?outputs.clientSubnetIds ?? []
    allowedAddresses: allowedAddresses
    inNetwork: inNetwork
    keepFramesDays: keepFramesDays
    keepRecordsDays: keepRecordsDays
    workspaceId: monitoring.outputs.workspaceId
    pageOrigin: pageOrigin
  }
}

module internal 'modules/internal-storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    name: 'stint${token}'
    sku: storageSku
    subnetIds: net.?outputs.clientSubnetIds ?? []
    allowedAddresses: allowedAddresses
    inNetwork: inNetwork
    keepRecordsDays: keepRecordsDays
    logAccess: storageLogs == 'all'
    workspaceId: monitoring.outputs.workspaceId
    pageOrigin: pageOrigin
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (network == 'privateEndpoints') {
  scope: group
  params: {
    location: location
    tags: tags
    virtualNetworkId: net!.outputs.virtualNetworkId
    subnetId: net!.outputs.endpointSubnetId
    mediaName: media.outputs.name
    internalName: internal.outputs.name
  }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    sku: registrySku
    workspaceId: monitoring.outputs.workspaceId
  }
}

module containerApps 'modules/container-apps.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    gpu: gpu
    subnetId: net.?outputs.containerAppsSubnetId ?? ''
    workspaceId: monitoring.outputs.workspaceId
  }
}

module scheduler 'modules/scheduler.bicep' = if (durableBackend == 'DurableTaskScheduler') {
  scope: group
  params: { location: location, tags: tags, token: token, sku: schedulerSku, taskHub: taskHub }
}

module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    token: token
    appIdentityName: identities.outputs.appName
    containerIdentityName: identities.outputs.containerName
    mediaName: media.outputs.name
    internalName: internal.outputs.name
    registryName: registry.outputs.name
    componentName: monitoring.outputs.componentName
    virtualNetworkName: net.?outputs.virtualNetworkName ?? ''
    schedulerName: scheduler.?outputs.name ?? ''
    customRoles: customRoles
    packageWriterId: plan == 'EP1' ? deployerId : ''
    packageWriterType: deployerType
  }
}

module inboxEvents 'modules/inbox-events.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    mediaName: media.outputs.name
    internalName: internal.outputs.name
    workspaceId: monitoring.outputs.workspaceId
  }
}

var taskHub = 'BatchScoring${partitionCount}'
var ownImage = '${registry.outputs.loginServer}/scorer:${scorerTag}'
var ownGpuImage = '${registry.outputs.loginServer}/scorer-cuda:${scorerTag}'
var image = empty(scorerImage) ? ownImage : scorerImage
var gpuImage = empty(scorerGpuImage) ? ownGpuImage : scorerGpuImage

module app 'modules/function-app.bicep' = {
  scope: group
  // The app asks for its storage as soon as it starts.
  dependsOn: [roles, endpoints]
  params: {
    location: location
    tags: tags
    name: appName
    plan: plan
    mostInstances: mostInstances
    identityId: identities.outputs.appId
    identityClientId: identities.outputs.appClientId
    mediaBlobEndpoint: media.outputs.blobEndpoint
    internalBlobEndpoint: internal.outputs.blobEndpoint
    internalQueueEndpoint: internal.outputs.queueEndpoint
    internalTableEndpoint: internal.outputs.tableEndpoint
    insightsConnection: monitoring.outputs.insightsConnection
    workspaceId: monitoring.outputs.workspaceId
    subnetId: net.?outputs.appSubnetId ?? ''
    allowedAddresses: allowedAddresses
    entraClientId: entraClientId
    taskHub: taskHub
    partitionCount: partitionCount
    schedulerEndpoint: scheduler.?outputs.endpoint ?? ''
    keepFramesDays: keepFramesDays
    keepRecordsDays: keepRecordsDays
    containerIdentityId: identities.outputs.containerId
    containerRegions: inNetwork ? [location] : containerRegions
    containerGroupsSubnetId: net.?outputs.containerGroupsSubnetId ?? ''
    containerAppsEnvironmentId: containerApps.outputs.environmentId
    image: image
    gpu: gpu
    gpuImage: gpuImage
    moreSettings: moreSettings
  }
}

@description('Where the app is: npm run score -- VIDEO --url APP_URL --key KEY.')
output APP_URL string = app.outputs.url

@description('Prints the key.')
output KEY_COMMAND string = 'az functionapp keys list --name ${app.outputs.name} --resource-group ${group.name} --subscription ${subscription().subscriptionId} --query functionKeys.default --output tsv'

output APP_NAME string = app.outputs.name
output APP_PLAN string = plan
output AZURE_RESOURCE_GROUP string = group.name
output MEDIA_ACCOUNT string = media.outputs.name
output INTERNAL_ACCOUNT string = internal.outputs.name
output REGISTRY string = registry.outputs.name
output SCORER_IMAGE string = image
output SCORER_GPU_IMAGE string = gpu == 'none' ? '' : gpuImage
output WORKBOOK_ID string = workbook.outputs.workbookId

@description('Custom roles, which no resource group takes along when it is deleted: those that an earlier choice made are still there, too.')
output CUSTOM_ROLES string = join(roles.outputs.customRoleIds, ' ')
