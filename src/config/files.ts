// The local files that the configuration names, read when it is: their problems are problems of the configuration.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorCode } from './document.js';
import type { ConfigDocument } from './document.js';
import { keyText, shownValue, valueAt } from './problems.js';
import type { ConfigProblem, KeyPath } from './problems.js';
import type { JwtAlgorithm } from './types.js';

/** By key: `hosts[0].privateKeyFile`. */
export interface NamedFiles {
  readonly contents: ReadonlyMap<string, string>;
  readonly problems: readonly ConfigProblem[];
}

/** PEM and OpenSSH's own format; PuTTY's. Catches the public key named by mistake before a host refuses it. */
const PRIVATE_KEY = /PRIVATE KEY-----|^PuTTY-User-Key-File-/;

interface FileKey {
  readonly path: KeyPath;
  /** What the file must be; undefined: anything. */
  readonly kind?: { readonly name: string; readonly fits: (content: string) => boolean };
}

const PRIVATE_KEY_FILE = { name: 'a private key', fits: (content: string) => PRIVATE_KEY.test(content) };
const PUBLIC_KEY_FILE = { name: 'an RSA (2 048 bits), P-256 or Ed25519 public key in PEM', fits: isPublicKey };
const CERTIFICATE_FILE = {
  name: 'a certificate in PEM',
  fits: (content: string) => content.includes('BEGIN CERTIFICATE-----'),
};

/** Looks at the unchecked tree, to find the files' problems together with the schema's. */
export function readNamedFiles({ value, written, baseDirectory }: ConfigDocument): NamedFiles {
  const contents = new Map<string, string>();
  const problems: ConfigProblem[] = [];
  for (const { path, kind } of fileKeys(value)) {
    const file = valueAt(value, path);
    if (typeof file !== 'string' || file === '') continue;
    const key = keyText(path);
    const shown = shownValue(written, path);
    try {
      const content = readFileSync(resolve(baseDirectory, file), 'utf8');
      contents.set(key, content);
      if (kind?.fits(content) === false) problems.push({ key, message: `must name a file with ${kind.name}${shown}` });
    } catch (error) {
      problems.push({ key, message: `can't be read, ${errorCode(error)}${shown}` });
    }
  }
  return { contents, problems };
}

function fileKeys(value: unknown): readonly FileKey[] {
  const hosts = valueAt(value, ['hosts']);
  const indexes = Array.isArray(hosts) ? [...hosts.keys()] : [];
  return [
    ...indexes.flatMap((index) => [
      { path: ['hosts', index, 'privateKeyFile'], kind: PRIVATE_KEY_FILE },
      { path: ['hosts', index, 'knownHostsFile'] },
    ]),
    { path: ['auth', 'jwt', 'publicKeyFile'], kind: PUBLIC_KEY_FILE },
    { path: ['listen', 'tls', 'certificateFile'], kind: CERTIFICATE_FILE },
    { path: ['listen', 'tls', 'privateKeyFile'], kind: PRIVATE_KEY_FILE },
  ];
}

function isPublicKey(pem: string): boolean {
  return algorithmOf(pem) !== undefined;
}

/** RFC 7518 section 3.3. */
const MIN_RSA_BITS = 2_048;

/** What tokens are signed with that a public key is for; undefined for one that is for none, and for a private one, which has no business here. */
export function algorithmOf(pem: string): JwtAlgorithm | undefined {
  if (PRIVATE_KEY.test(pem)) return undefined;
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(pem);
    if (asymmetricKeyType === 'ed25519') return 'EdDSA';
    if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256';
    return asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS ? 'RS256' : undefined;
  } catch {
    return undefined; // No key at all.
  }
}
