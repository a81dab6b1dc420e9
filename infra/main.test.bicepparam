// What a deployment is when nobody chooses anything. test/chaos/infra/azure.test.ts holds the template against main.test.snapshot.json.
using 'main.bicep'

param environmentName = 'usual'
param location = 'westeurope'
param deployerId = '00000000-0000-0000-0000-00000000000d'
