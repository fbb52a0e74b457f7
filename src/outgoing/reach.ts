import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/**
 * Who named a place that we connect to: the configuration, which may mean a system of the own network, or an answer from elsewhere, which
 * must not lead there.
 */
export type NamedBy = 'configuration' | 'answer';

/** This machine and what it alone reaches, like the metadata services of clouds: meant only where the configuration has the address itself. */
const OWN = blockList([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '::/128',
  '::1/128',
  'fe80::/10',
  'fd00:ec2::254/128',
]);
/** Networks that the public one does not reach, and forms of IPv6 in which such an address may be hidden. */
const INTERNAL = blockList([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/3',
  'fc00::/7',
  'fec0::/10',
  'ff00::/8',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2001::/32',
  '2002::/16',
]);

/**
 * How names are looked up for one place, for the `lookup` of a socket: the address that is checked is the one that is connected to, so a
 * name that answers differently each time (DNS rebinding) gains nothing. A name of which one address is refused is refused.
 *
 * @param resolve in place of the system's own look-up
 */
export function lookupOf(namedBy: NamedBy, resolve: LookupFunction = systemLookup): LookupFunction {
  return (name, options, callback) => {
    resolve(name, options, (fault, found, family) => {
      const addresses = fault !== null ? [] : typeof found === 'string' ? [found] : found.map(({ address }) => address);
      const refused = isLocalName(name) && namedBy === 'configuration' ? undefined : addresses.find(isRefused(namedBy));
      if (refused === undefined) callback(fault, found, family);
      else callback(refusal(name, refused, namedBy), '', 0);
    });
  };
}

/**
 * An address in figures is never looked up. URLs have them in their usual form already: `http://2130706433/` is `http://127.0.0.1/`.
 *
 * @throws Error - it leads where an answer must not lead
 */
export function checkAnswered({ hostname }: URL): void {
  const address = hostname.replace(/^\[|\]$/g, '');
  if (isLocalName(hostname) || (isIP(address) !== 0 && isRefused('answer')(address)))
    throw refusal(hostname, address, 'answer');
}

/** Is a host, by name or address, this machine as the configuration writes it? */
export function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

function isRefused(namedBy: NamedBy): (address: string) => boolean {
  return (address) => {
    const kind = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    return OWN.check(address, kind) || (namedBy === 'answer' && INTERNAL.check(address, kind));
  };
}

function refusal(name: string, address: string, namedBy: NamedBy): NodeJS.ErrnoException {
  const expected =
    namedBy === 'configuration'
      ? `expected another machine at ${name}, got ${address}: have the address itself in the configuration if it is meant`
      : `expected a public address, got ${name === address ? address : `${name} at ${address}`}`;
  return Object.assign(new Error(expected), { code: 'EREFUSEDADDRESS' });
}

function blockList(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net = '', prefix] = subnet.split('/');
    list.addSubnet(net, Number(prefix), isIP(net) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
