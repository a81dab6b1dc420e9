// The most closed one: Flex Consumption, private endpoints, few addresses from which people reach it, with a token; a T4.
using 'main.bicep'

param environmentName = 'private'
param location = 'swedencentral'
param plan = 'FlexConsumption'
param network = 'privateEndpoints'
param allowedAddresses = ['203.0.113.7', '198.51.100.0/24', '192.0.2.9/32']
param gpu = 'T4'
param entraClientId = '00000000-0000-0000-0000-00000000000e'
param deployerId = '00000000-0000-0000-0000-00000000000d'
param alertEmail = 'duty@example.com'
