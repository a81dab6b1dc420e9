// The workbook and the alert rules of one Application Insights component. docs/monitoring.md says how to deploy them and what they tell.
// It reads nothing but the component, holds no secret, and assigns no role.
targetScope = 'resourceGroup'

@description('Name of the Application Insights component that the app reports to. It is in the resource group of the deployment.')
param componentName string

@description('Region of the workbook and the alert rules: the region of the component.')
param location string = resourceGroup().location

@description('E-mail address that alerts go to, by an action group of their own. Empty: no such group is made.')
param alertEmail string = ''

@description('Resource ids of action groups that exist already and that alerts go to as well.')
param actionGroupIds string[] = []

@description('Whether the alert rules are on.')
param alertsEnabled bool = true

@description('Tags of every resource that is created.')
param tags object = {}

// The brackets of an array around it are cut off.
func asJson(text string) string => take(skip(string([text]), 1), length(string([text])) - 2)

// Each query of queries.kql by the name in its heading, which is the line `// ## name: title`.
var sections = skip(split(loadTextContent('queries.kql'), '\n// ## '), 1)
var queries = toObject(
  sections,
  section => split(section, ':')[0],
  section => trim(substring(section, indexOf(section, '\n')))
)

// In workbook.json, "{{name}}" stands for a query, and "{{component}}" for where it asks.
var workbook = reduce(
  items(queries),
  replace(loadTextContent('workbook.json'), '{{component}}', component.id),
  (text, query) => replace(text, '"{{${query.key}}}"', asJson(query.value))
)

var alerts = [
  {
    query: 'job-failed'
    title: 'A job failed'
    description: 'A job ended as failed. Blame user: its message says what to change. Blame platform: capacity, quota or an outage lasted too long.'
    severity: 2
    splitBy: ['job']
  }
  {
    query: 'attempt-stalled'
    title: 'An attempt stalled'
    description: 'A container handled no item for longer than timeouts.stallSeconds and was removed.'
    severity: 3
    splitBy: ['job']
  }
  {
    query: 'container-swept'
    title: 'A container leaked'
    description: 'The sweeper removed a container that its job had not removed.'
    severity: 3
    splitBy: ['job']
  }
  {
    query: 'message-poisoned'
    title: 'A message was given up'
    description: 'The app has failed on a message five times, and the Functions host moved it to a poison queue.'
    severity: 2
    splitBy: ['queue']
  }
]

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: '${componentName}-scoring'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'scoring'
    enabled: true
    emailReceivers: [{ name: 'alerts', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: '${componentName}-${alert.query}'
    location: location
    kind: 'LogAlert'
    tags: tags
    properties: {
      displayName: '${alert.title} (${componentName})'
      description: '${alert.description} See docs/monitoring.md.'
      severity: alert.severity
      enabled: alertsEnabled
      scopes: [component.id]
      // An attempt's event bears the time at which its container was last heard of, which may be long before it is told; the window has
      // to hold both. While an alert is on, it does not go off again.
      evaluationFrequency: 'PT5M'
      windowSize: 'PT6H'
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: queries[alert.query]
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: [for column in alert.splitBy: { name: column, operator: 'Include', values: ['*'] }]
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: concat(actionGroupIds, empty(alertEmail) ? [] : [actionGroup.id]) }
    }
  }
]

resource scoringWorkbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(component.id, 'scoring')
  location: location
  kind: 'shared'
  tags: tags
  properties: {
    displayName: 'Batch scoring: ${componentName}'
    category: 'workbook'
    sourceId: component.id
    version: 'Notebook/1.0'
    serializedData: workbook
  }
}

@description('Resource id of the workbook.')
output workbookId string = scoringWorkbook.id
