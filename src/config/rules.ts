// What holds between keys of the configuration. The rules run on whatever the schema made of the file, also when parts of it
// were refused, so that a person sees all problems at once; hence they look before they trust.
import { z } from 'zod';
import { mayBeWithin } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import { algorithmOf } from './files.js';
import { isLoopbackName } from './loopback.js';
import { keyText } from './problems.js';
import type { KeyPath } from './problems.js';
import { MAX_CHUNKS, fileSchema } from './schema.js';
import type { FileContent, HostContent } from './schema.js';
import { SIZE } from './units.js';

type Report = (path: KeyPath, message: string) => void;

/** Schema and rules. */
export const configSchema = fileSchema.check(
  z.superRefine(
    (content, context) => {
      if (!isMap(content)) return;
      checkContent(content, (path, message) => {
        context.addIssue({ code: 'custom', path: [...path], message });
      });
    },
    { when: () => true },
  ),
);

function checkContent(content: FileContent, report: Report): void {
  checkAccess(content, report);
  if (isMap(content.limits)) checkLimits(content.limits, report);
  if (!Array.isArray(content.hosts)) return;
  const firstOf = new Map<unknown, number>();
  for (const [index, host] of content.hosts.entries()) {
    if (!isMap(host)) continue;
    const first = firstOf.get(host.id);
    if (first !== undefined) report(['hosts', index, 'id'], `must be unique; ${keyText(['hosts', first])} has it too`);
    else if (typeof host.id === 'string') firstOf.set(host.id, index);
    checkHost(host, (path, message) => {
      report(['hosts', index, ...path], message);
    });
  }
}

const KEY_SOURCES = ['secret', 'publicKey', 'publicKeyFile', 'jwksUrl'] as const;

function checkAccess({ auth, listen, metrics, redis }: FileContent, report: Report): void {
  if (isMap(metrics)) checkSecret(['metrics', 'token'], metrics.token, report);
  if (!isMap(auth) || !isMap(listen)) return;
  if (auth.mode === 'none' && typeof listen.address === 'string' && !isLoopbackName(listen.address)) {
    const why = 'with auth.mode none anybody who reaches it may write to the hosts';
    report(['listen', 'address'], `must be loopback (127.0.0.1, ::1 or localhost): ${why}`);
  }
  if (auth.mode === 'none' && auth.jwt !== undefined) report(['auth', 'jwt'], 'has no place with auth.mode none');
  checkSecret(['auth', 'ticketSecret'], auth.ticketSecret, report);
  if (auth.mode !== 'jwt') return;
  if (auth.jwt === undefined) return report(['auth', 'jwt'], 'is required with auth.mode jwt');
  if (!isMap(auth.jwt)) return;
  checkJwt(auth.jwt, (path, message) => {
    report(['auth', 'jwt', ...path], message);
  });
  if (redis !== undefined && auth.jwt.secret === undefined && auth.ticketSecret === undefined)
    report(['auth', 'ticketSecret'], "is required with redis: gateways must know each other's upload tickets");
}

function checkJwt(jwt: NonNullable<FileContent['auth']['jwt']>, report: Report): void {
  const sources = KEY_SOURCES.filter((key) => jwt[key] !== undefined);
  if (sources.length !== 1) report([], `must have exactly one of ${KEY_SOURCES.join(', ')}`);
  checkSecret(['secret'], jwt.secret, report);
  if (typeof jwt.publicKey === 'string' && algorithmOf(jwt.publicKey) === undefined)
    report(['publicKey'], 'must be the PEM of an RSA (2 048 bits), P-256 or Ed25519 public key');
  if (jwt.jwksUrl !== undefined) {
    const why = 'is required with jwksUrl: its issuer makes tokens for others, too';
    for (const key of ['issuer', 'audience'] as const) if (jwt[key] === undefined) report([key], why);
  }
  // Whoever may choose between them signs with the public key, which everybody knows, as if it were a secret.
  const isSecret = (name: unknown) => name === 'HS256';
  const wrong = (jwt.algorithms ?? []).find((name) => isSecret(name) !== (jwt.secret !== undefined));
  if (wrong !== undefined && sources.length === 1)
    report(['algorithms'], `must not have ${wrong}, which ${isSecret(wrong) ? 'is for a secret' : 'is not for a secret'}`);
}

/** RFC 7518 section 3.2: a key of HS256 has at least as many bits as its hash. */
const MIN_SECRET_BYTES = 32;

function checkSecret(path: KeyPath, secret: unknown, report: Report): void {
  if (typeof secret !== 'string' || Buffer.byteLength(secret) >= MIN_SECRET_BYTES) return;
  report(path, `must have at least ${MIN_SECRET_BYTES} bytes`);
}

const SSH_ONLY = [
  'address',
  'port',
  'username',
  'privateKeyFile',
  'passphrase',
  'password',
  'agent',
  'hostKeys',
  'knownHostsFile',
] as const;
const LOGINS = ['privateKeyFile', 'password', 'agent'] as const;

function checkHost(host: HostContent, report: Report): void {
  if (host.embedded === undefined) checkSshHost(host, report);
  else {
    for (const key of SSH_ONLY) if (host[key] !== undefined) report([key], 'has no place in an embedded host');
  }
  if (Array.isArray(host.roots)) checkRoots(host.roots, report);
  const { groups, persons } = host.allow ?? {};
  if (groups?.length === 0 && persons?.length === 0) {
    report(['allow'], 'must name groups or persons; leave it out to allow everybody');
  }
}

function checkSshHost(host: HostContent, report: Report): void {
  for (const key of ['address', 'username', 'roots'] as const) if (host[key] === undefined) report([key], 'is required');
  const logins = LOGINS.filter((key) => host[key] !== undefined);
  if (logins.length === 0) report([], `needs one of ${LOGINS.join(', ')}`);
  if (logins.length > 1) report([], `must have only one of ${logins.join(', ')}`);
  if (host.passphrase !== undefined && host.privateKeyFile === undefined) report(['passphrase'], 'belongs to a privateKeyFile');
  if (host.hostKeys === undefined && host.knownHostsFile === undefined) {
    report([], 'needs hostKeys or knownHostsFile: without them anybody could pass for the host');
  }
}

/** Staging lives in the root, so that one target under two roots would have two places for its bytes. */
function checkRoots(roots: readonly (RemotePath | undefined)[], report: Report): void {
  for (const [index, root] of roots.entries()) {
    if (typeof root !== 'string') continue;
    const outer = roots.findIndex(
      (other, at) =>
        at !== index && typeof other === 'string' && mayBeWithin(root, other) && (!mayBeWithin(other, root) || at < index),
    );
    if (outer >= 0) report(['roots', index], `is within roots[${outer}] already; leave it out`);
  }
}

function checkLimits(limits: FileContent['limits'], report: Report): void {
  const { chunkBytes, maxChunkBytes, maxFileBytes, claimTtl, stagingTtl } = limits;
  if (chunkBytes > maxChunkBytes) {
    report(['limits', 'chunkBytes'], `must not be more than limits.maxChunkBytes, ${SIZE.format(maxChunkBytes)}`);
  }
  if (maxFileBytes > maxChunkBytes * MAX_CHUNKS) {
    const most = SIZE.format(maxChunkBytes * MAX_CHUNKS);
    report(['limits', 'maxFileBytes'], `must not be more than ${MAX_CHUNKS} chunks of limits.maxChunkBytes, ${most}`);
  }
  if (stagingTtl < claimTtl) report(['limits', 'stagingTtl'], 'must not be shorter than limits.claimTtl');
}

/** What the schema refused may be anything, whatever its type says. */
function isMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
