import { lookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { JobError, messageOf } from '../job/failure.js';

/** https://www.iana.org/assignments/iana-ipv4-special-registry: all that leads to this machine, its network or nowhere. */
const NOT_PUBLIC_4: [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // Azure's own services for the machines on it: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  ['168.63.129.16', 32],
];

/** Of the addresses that are handed out, 2000::/3, those that stand for others, for documents or for tunnels. */
const NOT_PUBLIC_6: [string, number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const notPublic = new BlockList();
for (const [net, prefix] of NOT_PUBLIC_4) notPublic.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of NOT_PUBLIC_6) notPublic.addSubnet(net, prefix, 'ipv6');
const handedOut = new BlockList();
handedOut.addSubnet('2000::', 3, 'ipv6');

/** Whether an IP address is one of the internet, and not of a private network, this machine or the cloud's own services. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !notPublic.check(address, 'ipv4');
  return version === 6 && handedOut.check(address, 'ipv6') && !notPublic.check(address, 'ipv6');
}

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<string[]>;

/** All addresses that the system knows of a host, as a URL names it. */
const resolveAll: Resolve = async (host) => {
  const found = await lookup(host.replace(/^\[(.*)\]$/, '$1'), { all: true });
  return found.map(({ address }) => address);
};

/**
 * The address to connect to: whoever connects to it, and not to the name, reaches what was checked.
 * @param what begins the sentence: "The webhook's host".
 * @throws JobError `user` when the name has an address that is not public: who owns it could point it anywhere. `platform` when it is not found.
 */
export async function publicAddressOf(what: string, host: string, resolve: Resolve = resolveAll): Promise<string> {
  const addresses = await resolve(host).catch((cause: unknown) => {
    throw new JobError('platform', `${what} ${host} cannot be found (${messageOf(cause)}).`, { cause });
  });
  const [first] = addresses;
  if (first !== undefined && addresses.every(isPublicAddress)) return first;
  const wrong = first === undefined ? 'has no address' : 'has an address that is not public';
  throw new JobError('user', `${what} ${host} ${wrong}; name one that the internet can reach.`);
}

/** For a request: its connection goes to this address, so that nothing can change between the check and the connection. */
export function pinnedTo(address: string): LookupFunction {
  const family = isIP(address);
  return (_, options, answer) =>
    options.all === true ? answer(null, [{ address, family }]) : answer(null, address, family);
}
