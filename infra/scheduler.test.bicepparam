// The other choices: service endpoints, the Durable Task Scheduler, an A100, built-in roles, all accesses logged, images from elsewhere.
using 'main.bicep'

param environmentName = 'scheduler'
param location = 'westus3'
param network = 'serviceEndpoints'
param durableBackend = 'DurableTaskScheduler'
param schedulerSku = 'Dedicated'
param gpu = 'A100'
param customRoles = false
param storageLogs = 'all'
param storageSku = 'Standard_ZRS'
param scorerImage = 'example.azurecr.io/scorer:7'
param scorerGpuImage = 'example.azurecr.io/scorer-cuda:7'
param moreSettings = { SCORER_THREADS: '2', KEEP_FRAMES_DAYS: '5' }
