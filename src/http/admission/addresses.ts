// Where a request comes from, as far as proxies are trusted.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import proxyaddr from 'proxy-addr';

/** Of a socket that is gone already. */
const UNKNOWN = 'unknown';

/**
 * The function that tells a client's address: the connection's own, or the right-most of `X-Forwarded-For` that isn't a trusted proxy's
 * (addresses and ranges such as `10.0.0.0/8`). What is no address there counts as its proxy's.
 */
export function addressReader(trustedProxies: readonly string[]): (req: IncomingMessage) => string {
  const isTrusted = proxyaddr.compile([...trustedProxies]);
  return (req) => {
    const { remoteAddress = UNKNOWN } = req.socket;
    if (trustedProxies.length === 0 || remoteAddress === UNKNOWN) return plain(remoteAddress);
    return plain(proxyaddr.all(req, isTrusted).findLast((address) => isIP(address) !== 0) ?? remoteAddress);
  };
}

/** What one customer of a network has: an IPv4 address, or the /64 of an IPv6 one, in which anybody has as many as he likes. */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = new URL(`http://[${withoutZone(address)}]`).hostname.slice(1, -1).split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`;
}

/** An IPv4 address that came in over IPv6 is that (RFC 4291 section 2.5.5.2). */
export function plain(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  return mapped ?? address;
}

function withoutZone(address: string): string {
  return address.split('%', 1)[0] ?? address;
}
