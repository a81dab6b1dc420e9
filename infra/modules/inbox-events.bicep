// Tells the app of new blobs in the inbox: Event Grid puts a message for each into the queue that the app takes them from.
param location string
param tags object
param token string
param mediaName string
param internalName string
param workspaceId string

resource media 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: mediaName
}

resource internal 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: internalName

  resource queues 'queueServices' existing = {
    name: 'default'

    resource inbox 'queues' existing = {
      name: 'inbox-events'
    }
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'evgt-${token}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: { source: media.id, topicType: 'Microsoft.Storage.StorageAccounts' }
}

// Storage Queue Data Message Sender
var sender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'

resource maySend 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(internal::queues::inbox.id, topic.id, sender)
  scope: internal::queues::inbox
  properties: {
    principalId: topic.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sender)
  }
}

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'inbox'
  dependsOn: [maySend]
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      subjectBeginsWith: '/blobServices/default/containers/inbox/'
    }
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: internal.id
          queueName: internal::queues::inbox.name
          queueMessageTimeToLiveInSeconds: 604800
        }
      }
    }
    // What comes later than this the app finds by itself, when it looks through the inbox.
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: topic
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'DeliveryFailures', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}
