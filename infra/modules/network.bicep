// The virtual network of app and containers. All that they ask of the internet leaves by one address, that of the NAT gateway, without which
// container groups in a subnet reach nothing.
param location string
param tags object
param token string
param plan string
param workspaceId string

resource address 'Microsoft.Network/publicIPAddresses@2024-05-01' = {
  name: 'pip-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource nat 'Microsoft.Network/natGateways@2024-05-01' = {
  name: 'ng-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: address.id }] }
}

// Nobody calls into the network: what Azure's own rules let through is enough.
resource guard 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'nothing-from-the-internet'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

// A Container Apps environment with workload profiles needs /27 at least; container groups and executions take an address each.
var clients = [
  {
    name: 'app'
    prefix: '10.40.0.0/24'
    delegation: plan == 'EP1' ? 'Microsoft.Web/serverFarms' : 'Microsoft.App/environments'
  }
  { name: 'container-apps', prefix: '10.40.2.0/23', delegation: 'Microsoft.App/environments' }
  { name: 'container-groups', prefix: '10.40.4.0/23', delegation: 'Microsoft.ContainerInstance/containerGroups' }
]

var clientSubnets = [
  for client in clients: {
    name: client.name
    properties: {
      addressPrefix: client.prefix
      natGateway: { id: nat.id }
      networkSecurityGroup: { id: guard.id }
      serviceEndpoints: [{ service: 'Microsoft.Storage' }]
      delegations: [{ name: 'service', properties: { serviceName: client.delegation } }]
    }
  }
]

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.40.0.0/16'] }
    subnets: concat(clientSubnets, [
      { name: 'endpoints', properties: { addressPrefix: '10.40.1.0/24', networkSecurityGroup: { id: guard.id } } }
    ])
  }

  resource app 'subnets' existing = {
    name: 'app'
  }

  resource containerApps 'subnets' existing = {
    name: 'container-apps'
  }

  resource containerGroups 'subnets' existing = {
    name: 'container-groups'
  }

  resource endpoints 'subnets' existing = {
    name: 'endpoints'
  }
}

resource ofNetwork 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: network
  properties: { workspaceId: workspaceId, logs: [{ category: 'VMProtectionAlerts', enabled: true }] }
}

resource ofGuard 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: guard
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'NetworkSecurityGroupEvent', enabled: true }
      { category: 'NetworkSecurityGroupRuleCounter', enabled: true }
    ]
  }
}

resource ofAddress 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: address
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'DDoSProtectionNotifications', enabled: true }
      { category: 'DDoSMitigationFlowLogs', enabled: true }
      { category: 'DDoSMitigationReports', enabled: true }
    ]
  }
}

output virtualNetworkId string = network.id
output virtualNetworkName string = network.name
output appSubnetId string = network::app.id
output containerAppsSubnetId string = network::containerApps.id
output containerGroupsSubnetId string = network::containerGroups.id
output clientSubnetIds string[] = [network::app.id, network::containerApps.id, network::containerGroups.id]
output endpointSubnetId string = network::endpoints.id
