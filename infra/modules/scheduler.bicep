// The Durable Task Scheduler: another place than storage for the state of Durable Functions.
param location string
param tags object
param token string
param sku string
param taskHub string

resource scheduler 'Microsoft.DurableTask/schedulers@2025-11-01' = {
  name: 'dts-${token}'
  location: location
  tags: tags
  properties: {
    sku: sku == 'Dedicated' ? { name: sku, capacity: 1 } : { name: sku }
    // An empty list would let nobody in. Whoever comes has to log in.
    ipAllowlist: ['0.0.0.0/0']
  }

  resource hub 'taskHubs' = {
    name: taskHub
  }
}

output name string = scheduler.name
output endpoint string = scheduler.properties.endpoint
