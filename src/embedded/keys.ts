// The key pairs of the embedded host: made once, kept for good, so that known_hosts entries and commands that people wrote down
// stay right.
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { errnoOf } from './status.js';

export interface KeyPair {
  /** Mode 0600. */
  readonly privateKeyFile: string;
  /** OpenSSH format, PEM. */
  readonly privateKey: string;
  readonly public: PublicKey;
}

export interface PublicKey {
  /** As in authorized_keys and known_hosts: `ssh-ed25519 AAAA…`. */
  readonly line: string;
  /** `SHA256:…`, as ssh-keygen -l prints it. */
  readonly fingerprint: string;
}

/** Reads the ed25519 key pair `name` in `directory` or makes it. Several processes at once end up with the same one. */
export async function keepKeyPair(directory: string, name: string): Promise<KeyPair> {
  await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  await fs.chmod(directory, 0o700);
  const privateKeyFile = join(directory, name);
  const present = await readIfThere(privateKeyFile);
  if (present === undefined) await writeOnce(privateKeyFile, makePrivateKey(`longshore ${name}`));
  // OpenSSH's clients refuse a key that others may read.
  await fs.chmod(privateKeyFile, 0o600);
  const privateKey = present ?? (await fs.readFile(privateKeyFile, 'utf8'));
  return { privateKeyFile, privateKey, public: publicKeyOf(privateKey, privateKeyFile) };
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Draws again until ssh2 can read its own key: of 256 it makes one that nobody can, because it cuts leading zeroes off public keys
 * (ssh2 1.17, https://github.com/mscdex/ssh2/issues/1390). One draw is enough when that is mended.
 */
export function makePrivateKey(comment: string): string {
  for (;;) {
    const { private: privateKey } = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (!(ssh2.utils.parseKey(privateKey) instanceof Error)) return privateKey;
  }
}

/** The file appears complete, and never in place of one that came first. */
async function writeOnce(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    await fs.writeFile(draft, text, { mode: 0o600, flag: 'wx', flush: true });
    await fs.link(draft, file);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    await fs.rm(draft, { force: true });
  }
}

function publicKeyOf(privateKey: string, file: string): PublicKey {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw new Error(`${file} holds no usable private key`, { cause: key });
  const blob = key.getPublicSSH();
  const digest = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
  return { line: `${key.type} ${blob.toString('base64')}`, fingerprint: `SHA256:${digest}` };
}
