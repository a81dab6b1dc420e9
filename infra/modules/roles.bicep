// What each identity may do, and nothing more. Event Grid's own right stands with its topic in inbox-events.bicep.
param token string
param appIdentityName string
param containerIdentityName string
param mediaName string
param internalName string
param registryName string
param componentName string
@description('Empty: there is none.')
param virtualNetworkName string
@description('Empty: there is none.')
param schedulerName string
param customRoles bool
@description('Who may put the package of the app into storage. Empty: nobody needs to.')
param packageWriterId string
param packageWriterType string

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: appIdentityName
}

resource container 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: containerIdentityName
}

resource media 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: mediaName
}

resource internal 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: internalName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource package 'containers' existing = {
      name: 'app-package'
    }
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-04-01' existing = {
  name: registryName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' existing = if (!empty(virtualNetworkName)) {
  name: virtualNetworkName

  resource containerGroups 'subnets' existing = {
    name: 'container-groups'
  }
}

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' existing = if (!empty(schedulerName)) {
  name: schedulerName
}

func builtIn(id string) string => subscriptionResourceId('Microsoft.Authorization/roleDefinitions', id)

var blobDataOwner = builtIn('b7e6dc6d-f1e8-4753-8033-0f276bb0955b')
var blobDataContributor = builtIn('ba92f5b4-2d11-453d-a403-e96b0029c9fe')
var queueDataContributor = builtIn('974c5e8b-45b9-4653-ba55-5f855dd0fb88')
var tableDataContributor = builtIn('0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3')
var queueDataMessageSender = builtIn('c6a89b2d-59bc-44d0-9896-0f6e12d7b80a')
var metricsPublisher = builtIn('3913510d-42f4-4e42-8a64-420c390055eb')
var identityOperator = builtIn('f1a07417-d97a-45cb-824c-7a7467783830')
var acrPull = builtIn('7f951dda-4ed3-4680-a7ca-43fe172d538d')
var durableTaskDataContributor = builtIn('0ad04412-c4d5-4796-b79c-f76d14c8d402')
// In place of the custom ones.
var containerInstancesContributor = builtIn('5d977122-f97e-4b4d-a52f-6b43003ddb4d')
var containerAppsJobsContributor = builtIn('4e3d2b60-56ae-4dc6-a233-09c8e5a82e68')
var networkContributor = builtIn('4d97b98b-1d4f-4787-a291-c67834d212e7')

var withNetwork = !empty(virtualNetworkName)
// The app asks what it may do before it starts a job.
var askForRights = 'Microsoft.Authorization/permissions/read'

resource runContainers 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (customRoles) {
  name: guid(resourceGroup().id, 'run-containers')
  properties: {
    roleName: 'Batch scoring: run containers (${token})'
    description: 'Starts, watches and removes container groups and executions of Container Apps jobs.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          askForRights
          'Microsoft.ContainerInstance/containerGroups/read'
          'Microsoft.ContainerInstance/containerGroups/write'
          'Microsoft.ContainerInstance/containerGroups/delete'
          'Microsoft.ContainerInstance/containerGroups/containers/logs/read'
          'Microsoft.App/managedEnvironments/read'
          'Microsoft.App/managedEnvironments/join/action'
          'Microsoft.App/managedEnvironments/usages/read'
          // A job resource stands for one size, image and time limit: the app makes those that it needs.
          'Microsoft.App/jobs/read'
          'Microsoft.App/jobs/write'
          'Microsoft.App/jobs/start/action'
          'Microsoft.App/jobs/execution/read'
          'Microsoft.App/jobs/executions/read'
          'Microsoft.App/jobs/stop/execution/action'
        ]
        notActions: []
      }
    ]
  }
}

resource joinSubnet 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (customRoles && withNetwork) {
  name: guid(resourceGroup().id, 'join-subnet')
  properties: {
    roleName: 'Batch scoring: join a subnet (${token})'
    description: 'Puts container groups into a subnet; Network Contributor could remove it as well.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          askForRights
          'Microsoft.Network/virtualNetworks/subnets/read'
          'Microsoft.Network/virtualNetworks/subnets/join/action'
        ]
        notActions: []
      }
    ]
  }
}

resource hostKeepsItsState 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [blobDataOwner, queueDataContributor, tableDataContributor]: {
    name: guid(internal.id, app.id, role)
    scope: internal
    properties: { principalId: app.properties.principalId, principalType: 'ServicePrincipal', roleDefinitionId: role }
  }
]

resource appReadsAndWritesMedia 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  // Besides the blobs: notices, for jobs that ask for one in a queue.
  for role in [blobDataContributor, queueDataMessageSender]: {
    name: guid(media.id, app.id, role)
    scope: media
    properties: { principalId: app.properties.principalId, principalType: 'ServicePrincipal', roleDefinitionId: role }
  }
]

resource appTells 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, app.id, metricsPublisher)
  scope: component
  properties: {
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: metricsPublisher
  }
}

resource appRunsContainers 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in (customRoles ? [runContainers.id] : [containerInstancesContributor, containerAppsJobsContributor]): {
    name: guid(resourceGroup().id, app.id, role)
    properties: { principalId: app.properties.principalId, principalType: 'ServicePrincipal', roleDefinitionId: role }
  }
]

resource appGivesContainersTheirIdentity 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(container.id, app.id, identityOperator)
  scope: container
  properties: {
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: identityOperator
  }
}

resource appJoinsSubnet 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (withNetwork) {
  name: guid(resourceGroup().id, 'container-groups', app.id)
  scope: network::containerGroups
  properties: {
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: customRoles ? joinSubnet.id : networkContributor
  }
}

resource appUsesScheduler 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(schedulerName)) {
  name: guid(resourceGroup().id, 'scheduler', app.id)
  scope: scheduler
  properties: {
    principalId: app.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: durableTaskDataContributor
  }
}

resource containerPullsItsImage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, container.id, acrPull)
  scope: registry
  properties: {
    principalId: container.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: acrPull
  }
}

resource deployerPutsPackage 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(packageWriterId)) {
  name: guid(internal::blobs::package.id, packageWriterId, blobDataContributor)
  scope: internal::blobs::package
  properties: {
    principalId: packageWriterId
    principalType: packageWriterType
    roleDefinitionId: blobDataContributor
  }
}

output customRoleIds string[] = [runContainers.id, joinSubnet.id]
