// Whether the key that a server shows is one we were told to expect: pinned fingerprints and known_hosts (sshd(8), SSH_KNOWN_HOSTS
// FILE FORMAT). Certificates are not supported: a `@cert-authority` line vouches for nothing here.
import { createHash, createHmac } from 'node:crypto';

export type HostKeyVerdict = { readonly kind: 'expected' } | { readonly kind: 'refused'; readonly why: string };

export interface HostKeys {
  verify(key: Buffer): HostKeyVerdict;
  /** Types of the keys that are known, in order: a server with several keys should be asked for one of these. */
  readonly types: readonly string[];
}

export interface HostKeySources {
  readonly address: string;
  readonly port: number;
  /** `SHA256:…` as `ssh-keygen -l` prints it. */
  readonly hostKeys?: readonly string[];
  /** Content of a known_hosts file. */
  readonly knownHosts?: string;
}

interface KnownKey {
  readonly type: string;
  /** Base64 of the key in wire format (RFC 4253 §6.6). */
  readonly key: string;
  readonly isRevoked: boolean;
}

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;
const DEFAULT_PORT = 22;

/** Throws when nothing would tell the right host from another: we never connect to just anybody. */
export function expectHostKeys(sources: HostKeySources): HostKeys {
  const pinned = (sources.hostKeys ?? []).map((text) => text.replace(/=+$/, ''));
  for (const text of pinned) {
    if (!FINGERPRINT.test(text)) throw new Error(`not a host key fingerprint (SHA256:…): ${JSON.stringify(text)}`);
  }
  const known = knownKeys(sources.knownHosts ?? '', sources.address, sources.port);
  const trusted = known.filter((entry) => !entry.isRevoked);
  if (pinned.length === 0 && sources.knownHosts === undefined) {
    throw new Error(`no host key is known for ${sources.address}: give fingerprints or a known_hosts file`);
  }
  return {
    types: [...new Set(trusted.map((entry) => entry.type))],
    verify(key) {
      const encoded = key.toString('base64');
      const shown = `${keyType(key)} ${fingerprint(key)}`;
      if (isShortRsa(key)) return refuse(`its key ${shown} has fewer than ${MIN_RSA_BITS} bits`);
      if (known.some((entry) => entry.isRevoked && entry.key === encoded)) return refuse(`its key ${shown} is revoked`);
      if (pinned.includes(fingerprint(key)) || trusted.some((entry) => entry.key === encoded)) return { kind: 'expected' };
      return refuse(
        pinned.length + trusted.length === 0 ? `no key is known for it; it shows ${shown}` : `it shows another key, ${shown}`,
      );
    },
  };
}

function refuse(why: string): HostKeyVerdict {
  return { kind: 'refused', why };
}

/** As `ssh-keygen -l` prints it: SHA-256 of the wire format, base64 without padding. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The wire format begins with the type's name as an SSH string (RFC 4253 §6.6). */
function keyType(key: Buffer): string {
  if (key.length < 4) return 'unknown';
  return key.toString('latin1', 4, 4 + Math.min(key.readUInt32BE(0), key.length - 4));
}

/** NIST SP 800-131A; OpenSSH's RequiredRSASize was 1024 until 2022. */
const MIN_RSA_BITS = 2_048;

/** An RSA key is its type, the exponent and the modulus (RFC 4253 §6.6), each behind its length. */
function isShortRsa(key: Buffer): boolean {
  if (keyType(key) !== 'ssh-rsa') return false;
  let at = 0;
  const field = (): Buffer => {
    if (at + 4 > key.length) return Buffer.alloc(0);
    const from = at + 4;
    at = from + key.readUInt32BE(at);
    return key.subarray(from, at);
  };
  field();
  field();
  return BigInt(`0x0${field().toString('hex')}`).toString(2).length < MIN_RSA_BITS;
}

function knownKeys(content: string, address: string, port: number): readonly KnownKey[] {
  const host = address.toLowerCase();
  const name = port === DEFAULT_PORT ? host : `[${host}]:${port}`;
  const keys: KnownKey[] = [];
  for (const line of content.split('\n')) {
    const fields = line.trim().split(/\s+/);
    const marker = fields[0]?.startsWith('@') === true ? fields.shift() : undefined;
    const [patterns, type, key] = fields;
    if (patterns === undefined || type === undefined || key === undefined || patterns.startsWith('#')) continue;
    if (marker !== undefined && marker !== '@revoked') continue;
    if (matches(patterns, name)) keys.push({ type, key, isRevoked: marker === '@revoked' });
  }
  return keys;
}

/** A list of patterns matches when one of them does and no negated one does. */
function matches(patterns: string, name: string): boolean {
  let isMatch = false;
  for (const pattern of patterns.split(',')) {
    const isNegated = pattern.startsWith('!');
    if (!matchesOne(isNegated ? pattern.slice(1) : pattern, name)) continue;
    if (isNegated) return false;
    isMatch = true;
  }
  return isMatch;
}

function matchesOne(pattern: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(pattern);
  if (hashed !== null) {
    const [, salt = '', hash] = hashed;
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
  }
  const expression = pattern
    .toLowerCase()
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`).test(name);
}
