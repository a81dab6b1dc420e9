// Where logs and telemetry go.
param location string
param tags object
param token string
param logDays int

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${token}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: logDays
    features: { disableLocalAuth: true, enableLogAccessUsingOnlyResourcePermissions: true }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource queries 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: workspace
  properties: { workspaceId: workspace.id, logs: [{ category: 'Audit', enabled: true }] }
}

output workspaceId string = workspace.id
output componentName string = component.name
@description('Says where telemetry goes. With logins by key off, nobody gets in by it.')
output insightsConnection string = component.properties.ConnectionString
