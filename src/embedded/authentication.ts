import { createHash, timingSafeEqual } from 'node:crypto';
import ssh2, { type AuthContext, type Connection, type ParsedKey } from 'ssh2';

/** As OpenSSH's MaxAuthTries. */
const MAX_ATTEMPTS = 6;
/** As OpenSSH's LoginGraceTime is meant, but short: our clients are on this machine. */
const LOGIN_GRACE_MS = 20_000;

export interface Admission {
  readonly username: string;
  /** `ssh-ed25519 AAAA…`: the one key that is let in. */
  readonly publicKey: string;
}

/** Lets in who proves to have the private key, and nobody else; hangs up on who tries too often or takes too long. */
export function admit(client: Connection, { username, publicKey }: Admission): void {
  const key = parsed(publicKey);
  const deadline = setTimeout(() => client.end(), LOGIN_GRACE_MS);
  client.once('ready', () => clearTimeout(deadline));
  client.once('close', () => clearTimeout(deadline));
  let refusals = 0;
  client.on('authentication', (attempt) => {
    if (isSame(attempt.username, username) && provesKey(attempt, key)) return attempt.accept();
    refusals += 1;
    if (refusals > MAX_ATTEMPTS) return client.end();
    attempt.reject(['publickey']);
  });
}

/** RFC 4252 section 7: first the client asks whether the key would do, then it signs. */
function provesKey(attempt: AuthContext, key: ParsedKey): boolean {
  if (attempt.method !== 'publickey' || !isSame(attempt.key.data, key.getPublicSSH())) return false;
  if (attempt.signature === undefined) return true;
  return attempt.blob !== undefined && key.verify(attempt.blob, attempt.signature, attempt.hashAlgo) === true;
}

/** In a time that tells nothing of where they differ, or of their lengths. */
function isSame(one: string | Buffer, other: string | Buffer): boolean {
  const digest = (value: string | Buffer): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function parsed(publicKey: string): ParsedKey {
  const key = ssh2.utils.parseKey(publicKey);
  if (key instanceof Error) throw key;
  return key;
}
