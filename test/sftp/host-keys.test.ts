import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectHostKeys, fingerprint, type HostKeySources } from '../../src/sftp/host-keys.js';

interface Key {
  /** Type and base64. */
  readonly line: string;
  readonly wire: Buffer;
  readonly fingerprint: string;
}

describe('host keys', () => {
  let directory: string;
  let ours: Key;
  let other: Key;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'longshore-keys-'));
    ours = makeKey('ours', 'ed25519');
    other = makeKey('other', 'ecdsa');
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function makeKey(name: string, type: string): Key {
    const file = join(directory, name);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
    const [keyType = '', base64 = ''] = readFileSync(`${file}.pub`, 'utf8').split(' ');
    const printed = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' });
    return { line: `${keyType} ${base64}`, wire: Buffer.from(base64, 'base64'), fingerprint: printed.split(' ')[1] ?? '' };
  }

  const verdict = (sources: Partial<HostKeySources>, key: Key): string =>
    expectHostKeys({ address: 'files.example.com', port: 22, ...sources }).verify(key.wire).kind;

  it('prints fingerprints as ssh-keygen does', () => {
    expect(fingerprint(ours.wire)).toBe(ours.fingerprint);
  });

  it('expects the pinned key and no other', () => {
    expect(verdict({ hostKeys: [other.fingerprint, ours.fingerprint] }, ours)).toBe('expected');
    expect(verdict({ hostKeys: [`${ours.fingerprint}=`] }, ours)).toBe('expected');
    expect(verdict({ hostKeys: [other.fingerprint] }, ours)).toBe('refused');
  });

  it('finds the host in a known_hosts file by name, pattern and port', () => {
    const known = (name: string): Partial<HostKeySources> => ({ knownHosts: `# comment\n\n${name} ${ours.line} a comment\n` });
    expect(verdict(known('files.example.com'), ours)).toBe('expected');
    expect(verdict(known('FILES.example.com'), ours)).toBe('expected');
    expect(verdict(known('10.0.0.5,files.example.com'), ours)).toBe('expected');
    expect(verdict(known('*.example.com'), ours)).toBe('expected');
    expect(verdict(known('*.example.com,!files.*'), ours)).toBe('refused');
    expect(verdict(known('filesXexample.com'), ours)).toBe('refused');
    expect(verdict(known('files.example.com'), other)).toBe('refused');
    expect(verdict({ ...known('files.example.com'), port: 2222 }, ours)).toBe('refused');
    expect(verdict({ ...known('[files.example.com]:2222'), port: 2222 }, ours)).toBe('expected');
    expect(verdict(known('[files.example.com]:2222'), ours)).toBe('refused');
  });

  it('finds the host in a file hashed by ssh-keygen -H', () => {
    const file = join(directory, 'known_hosts');
    writeFileSync(file, `files.example.com ${ours.line}\n[files.example.com]:2222 ${other.line}\n`);
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
    const knownHosts = readFileSync(file, 'utf8');
    expect(knownHosts).not.toContain('example');
    expect(verdict({ knownHosts }, ours)).toBe('expected');
    expect(verdict({ knownHosts }, other)).toBe('refused');
    expect(verdict({ knownHosts, port: 2222 }, other)).toBe('expected');
  });

  it('takes any of several keys, and asks the server for the types it knows', () => {
    const knownHosts = `files.example.com ${ours.line}\r\nfiles.example.com ${other.line}\r\n`;
    expect(verdict({ knownHosts }, ours)).toBe('expected');
    expect(verdict({ knownHosts }, other)).toBe('expected');
    const { types } = expectHostKeys({ address: 'files.example.com', port: 22, knownHosts });
    expect(types).toEqual(['ssh-ed25519', 'ecdsa-sha2-nistp256']);
  });

  it('refuses a revoked key, also when it is pinned', () => {
    const knownHosts = `files.example.com ${ours.line}\n@revoked * ${ours.line}\n`;
    expect(verdict({ knownHosts }, ours)).toBe('refused');
    expect(verdict({ knownHosts, hostKeys: [ours.fingerprint] }, ours)).toBe('refused');
  });

  it('lets no certificate authority vouch', () => {
    expect(verdict({ knownHosts: `@cert-authority * ${ours.line}\n` }, ours)).toBe('refused');
  });

  it('is not to be had without anything to tell hosts apart', () => {
    expect(() => expectHostKeys({ address: 'a', port: 22 })).toThrow('no host key');
    expect(() => expectHostKeys({ address: 'a', port: 22, hostKeys: [] })).toThrow('no host key');
    expect(() => expectHostKeys({ address: 'a', port: 22, hostKeys: ['MD5:aa:bb'] })).toThrow('fingerprint');
  });
});
