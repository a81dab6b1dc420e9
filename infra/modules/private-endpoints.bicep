// Addresses of the storage accounts inside the virtual network, and the names that lead there.
param location string
param tags object
param virtualNetworkId string
param subnetId string
param mediaName string
param internalName string

var services = [
  { account: mediaName, service: 'blob' }
  { account: mediaName, service: 'queue' }
  { account: internalName, service: 'blob' }
  { account: internalName, service: 'queue' }
  { account: internalName, service: 'table' }
]
var kinds = ['blob', 'queue', 'table']

resource accounts 'Microsoft.Storage/storageAccounts@2024-01-01' existing = [
  for each in services: {
    name: each.account
  }
]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for kind in kinds: {
    name: 'privatelink.${kind}.${environment().suffixes.storage}'
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (kind, index) in kinds: {
    parent: zones[index]
    name: 'network'
    location: 'global'
    tags: tags
    properties: { registrationEnabled: false, virtualNetwork: { id: virtualNetworkId } }
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [
  for (each, index) in services: {
    name: 'pe-${each.account}-${each.service}'
    location: location
    tags: tags
    properties: {
      subnet: { id: subnetId }
      privateLinkServiceConnections: [
        {
          name: each.service
          properties: { privateLinkServiceId: accounts[index].id, groupIds: [each.service] }
        }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [
  for (each, index) in services: {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        { name: each.service, properties: { privateDnsZoneId: zones[indexOf(kinds, each.service)].id } }
      ]
    }
  }
]
