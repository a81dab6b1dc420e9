import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Bicep, type Resource, whyNoBicep } from '../../support/bicep.js';
import { askingIn, MONITORING, queryOf, readMonitoring, type Workbook } from '../../support/monitoring.js';

const FILE = path.join(MONITORING, 'main.bicep');

const why = whyNoBicep();
if (why !== undefined) console.warn(`The deployment of the monitoring is not compiled: ${why}.`);

describe.skipIf(why !== undefined)('the deployment of the monitoring', () => {
  let bicep: Bicep;
  beforeAll(() => {
    bicep = new Bicep();
  });
  afterAll(() => bicep.stop());

  test('compiles, and neither compiler nor linter remarks on anything', async () => {
    expect(await bicep.remarksOn(FILE)).toEqual([]);
  });

  test('would be refused for what nothing uses, has the wrong type, or does not exist', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'monitoring-'));
    try {
      cpSync(MONITORING, folder, { recursive: true });
      const file = path.join(folder, 'main.bicep');
      const wrong = readMonitoring('main.bicep')
        .replace('autoMitigate: true', "autoMitigate: 'yes'")
        .replace('workbooks@2023-06-01', 'workbooks@1999-01-01');
      writeFileSync(file, `${wrong}\nparam spare string = ''\n`);
      const remarks = (await bicep.remarksOn(file)).map((remark) => remark.split(':')[0]);
      expect(new Set(remarks)).toEqual(new Set(['BCP036', 'BCP081', 'no-unused-params']));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  describe('made with an e-mail address, a group and tags', () => {
    const group = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/duty';
    const component = /\/resourceGroups\/rg\/providers\/Microsoft.Insights\/components\/appi$/;
    let made: Resource[];
    const ofType = (type: string) => made.filter((resource) => resource.type === `Microsoft.Insights/${type}`);
    beforeAll(async () => {
      const told = { alertEmail: 'duty@example.com', actionGroupIds: [group] };
      made = await bicep.predict(FILE, { componentName: 'appi', ...told, tags: { team: 'media' } });
    });

    test('is a workbook of the component, with the queries of queries.kql in it', () => {
      const [workbook] = ofType('workbooks');
      expect(workbook?.properties.sourceId).toMatch(component);
      const content = JSON.parse(String(workbook?.properties.serializedData)) as Workbook;
      const written = JSON.parse(readMonitoring('workbook.json')) as Workbook;
      const expected = askingIn(written).map(({ query = '' }) => queryOf(query.slice(2, -2)));
      expect(askingIn(content).map(({ query }) => query)).toEqual(expected);
      expect(content.fallbackResourceIds).toEqual([expect.stringMatching(component)]);
      expect(content.items.map(({ name }) => name)).toEqual(written.items.map(({ name }) => name));
    });

    test('is a rule for each alert, which asks the component one of these queries and tells both groups', () => {
      const asked = ofType('scheduledQueryRules').map(({ properties, location }) => {
        expect(properties).toMatchObject({ enabled: true, scopes: [expect.stringMatching(component)] });
        expect(properties.actions).toEqual({ actionGroups: [group, expect.stringMatching(/\/appi-scoring$/)] });
        expect(location).toBe('westeurope');
        const { allOf } = properties.criteria as { allOf: { query: string }[] };
        expect(allOf).toEqual([expect.objectContaining({ operator: 'GreaterThan', threshold: 0 })]);
        return allOf[0]?.query;
      });
      const names = ['job-failed', 'attempt-stalled', 'container-swept', 'message-poisoned'];
      expect(asked).toEqual(names.map(queryOf));
    });

    test('is tagged, and is one workbook, four rules and one group', () => {
      expect(made.map(({ tags }) => tags)).toEqual(made.map(() => ({ team: 'media' })));
      expect(['workbooks', 'scheduledQueryRules', 'actionGroups'].map((type) => ofType(type).length)).toEqual([
        1, 4, 1,
      ]);
      expect(made).toHaveLength(6);
    });
  });

  test('makes nothing else: no role, no secret, and without an e-mail address no group', async () => {
    const made = await bicep.predict(FILE, { componentName: 'appi', alertsEnabled: false });
    const types = new Set(made.map(({ type }) => type));
    expect(types).toEqual(new Set(['Microsoft.Insights/scheduledQueryRules', 'Microsoft.Insights/workbooks']));
    for (const { type, properties } of made)
      if (type === 'Microsoft.Insights/scheduledQueryRules')
        expect(properties).toMatchObject({ enabled: false, actions: { actionGroups: [] } });
    expect(readMonitoring('main.bicep')).not.toMatch(/listKeys|ConnectionString|InstrumentationKey|roleAssignments/i);
  });
});
