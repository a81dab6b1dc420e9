import { type Need, toAssign } from '../azure/rights.js';
import type { AciSettings } from './settings.js';

const GROUP = 'Microsoft.ContainerInstance/containerGroups';

/** What the app's own identity has to be allowed to do. */
export function needsOf({ subscriptionId, resourceGroup, subnetId, identityId }: AciSettings): Need[] {
  const needs: Need[] = [
    {
      scope: `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`,
      actions: [`${GROUP}/read`, `${GROUP}/write`, `${GROUP}/delete`, `${GROUP}/containers/logs/read`],
      remedy: 'grant it Contributor there',
    },
  ];
  if (subnetId !== undefined)
    needs.push({
      scope: subnetId,
      actions: ['Microsoft.Network/virtualNetworks/subnets/join/action'],
      remedy: 'grant it Network Contributor there, or correct ACI_SUBNET_ID',
    });
  if (identityId !== undefined) needs.push(toAssign(identityId, 'ACI_IDENTITY_ID'));
  return needs;
}
