// Who acts: the app, and the containers that it starts. What each may do is in roles.bicep.
param location string
param tags object
param token string

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-app-${token}'
  location: location
  tags: tags
}

// All that containers do with it is to pull their image; what they read and write they reach by URLs that the app signs.
resource container 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-container-${token}'
  location: location
  tags: tags
}

output appId string = app.id
output appName string = app.name
output appClientId string = app.properties.clientId
output containerId string = container.id
output containerName string = container.name
