import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import ssh2, { type IdentityCallback, type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startEmbeddedHost } from '../../src/embedded/embedded-host.js';
import { keepKeyPair, makePrivateKey } from '../../src/embedded/keys.js';
import { call, connect, openSftp, run, startTestHost, type TestHost } from './support.js';

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(async () => {
  await test.stop();
  expect(test.faults).toEqual([]);
});

const REFUSED = 'All configured authentication methods failed';

/** An agent that shows the right key and signs with another one. */
class ForgingAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #shown: ParsedKey;
  readonly #signer: ParsedKey;

  constructor(shown: ParsedKey, signer: ParsedKey) {
    super();
    this.#shown = shown;
    this.#signer = signer;
  }

  override getIdentities(done: IdentityCallback<ParsedKey>): void {
    done(undefined, [this.#shown]);
  }

  override sign(_key: ParsedKey, data: Buffer, options: SigningRequestOptions | SignCallback, done?: SignCallback): void {
    const answer = typeof options === 'function' ? options : done;
    answer?.(undefined, this.#signer.sign(data));
  }
}

function parsed(privateKey: string): ParsedKey {
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) throw key;
  return key;
}

describe('who is let in', () => {
  it('the holder of the private key', async () => {
    const client = await connect(test);
    await openSftp(client);
    client.end();
  });

  it('no other key', async () => {
    const privateKey = makePrivateKey('stranger');
    await expect(connect(test, { privateKey })).rejects.toThrow(REFUSED);
  });

  it('nobody who knows only the public key', async () => {
    const stranger = parsed(makePrivateKey('stranger'));
    const agent = new ForgingAgent(parsed(test.host.privateKey), stranger);
    await expect(connect(test, { privateKey: undefined as never, agent })).rejects.toThrow(REFUSED);
    // The agent itself works: with the right signature it is let in.
    const honest = new ForgingAgent(parsed(test.host.privateKey), parsed(test.host.privateKey));
    (await connect(test, { privateKey: undefined as never, agent: honest })).end();
  });

  it('no other name', async () => {
    await expect(connect(test, { username: 'root' })).rejects.toThrow(REFUSED);
  });

  it('no password, and no answers to questions', async () => {
    const refusal = connect(test, { privateKey: undefined as never, password: 'longshore', tryKeyboard: true });
    await expect(refusal).rejects.toThrow(REFUSED);
  });

  it('nobody after too many attempts', async () => {
    const wrong = makePrivateKey('stranger');
    const attempts = Array.from({ length: 20 }, () => ({ type: 'publickey' as const, username: 'longshore', key: wrong }));
    let tried = 0;
    const authHandler = (_left: unknown, _partial: unknown, next: (attempt: unknown) => void): void =>
      next(attempts[tried++] ?? false);
    await expect(connect(test, { authHandler: authHandler as never })).rejects.toThrow();
    expect(tried).toBeLessThan(10);
  });
});

describe('what a session may be', () => {
  it('no command, shell, or other subsystem', async () => {
    const client = await connect(test);
    await expect(call((done) => client.exec('true', done))).rejects.toThrow('Unable to exec');
    await expect(call((done) => client.shell(done))).rejects.toThrow();
    await expect(call((done) => client.subsys('netconf', done))).rejects.toThrow();
    client.end();
  });

  it('no forwarding, either way', async () => {
    const client = await connect(test);
    const port = test.host.port;
    await expect(call((done) => client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, done))).rejects.toThrow('open failure');
    await expect(call((done) => client.forwardIn('127.0.0.1', 0, done))).rejects.toThrow('Unable to bind');
    client.end();
  });
});

describe('keys', () => {
  const options = () => ({
    directory: join(test.outside, 'again'),
    stateDirectory: join(test.outside, 'keys'),
    address: '127.0.0.1' as const,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  });

  it('are kept from start to start', async () => {
    const first = await startEmbeddedHost({ ...options(), port: 0 });
    await first.close();
    const second = await startEmbeddedHost({ ...options(), port: 0 });
    await second.close();
    expect(second.hostKeyFingerprint).toBe(first.hostKeyFingerprint);
    expect(second.privateKey).toBe(first.privateKey);
  });

  it('are the same for all that ask for them at once', async () => {
    for (let round = 0; round < 25; round += 1) {
      const asking = Array.from({ length: 8 }, () => keepKeyPair(join(test.outside, 'keys'), `key-${round}`));
      expect(new Set((await Promise.all(asking)).map((pair) => pair.privateKey)).size).toBe(1);
    }
    expect((await readdir(join(test.outside, 'keys'))).length).toBe(25);
  });

  it('are readable by their owner alone', async () => {
    const host = await startEmbeddedHost({ ...options(), port: 0 });
    await host.close();
    const { stateDirectory } = options();
    expect((await stat(stateDirectory)).mode & 0o777).toBe(0o700);
    for (const name of ['host_key', 'client_key']) {
      expect((await stat(join(stateDirectory, name))).mode & 0o777).toBe(0o600);
    }
    expect(host.privateKeyFile).toBe(join(stateDirectory, 'client_key'));
  });

  it('have the fingerprint that ssh-keygen prints', async () => {
    const hostKeyFile = test.host.privateKeyFile.replace('client_key', 'host_key');
    const { stdout } = await run('ssh-keygen', ['-l', '-f', hostKeyFile]);
    expect(stdout.split(' ')[1]).toBe(test.host.hostKeyFingerprint);
    expect(await readFile(test.host.privateKeyFile, 'utf8')).toBe(test.host.privateKey);
  });

  it('are usable, every one of them', () => {
    // ssh2 spoils one of 256: with this many, a test that should fail passes once in a thousand runs.
    for (let count = 0; count < 1_800; count += 1) expect(parsed(makePrivateKey('x')).type).toBe('ssh-ed25519');
  });

  it('may not lie within the root', async () => {
    const directory = join(test.outside, 'nested');
    await mkdir(directory);
    const nested = { ...options(), directory, stateDirectory: join(directory, 'keys'), port: 0 };
    await expect(startEmbeddedHost(nested)).rejects.toThrow('within its root');
  });

  it('that are damaged are reported, not replaced', async () => {
    const { stateDirectory } = options();
    await mkdir(stateDirectory);
    await writeFile(join(stateDirectory, 'host_key'), 'nonsense');
    await expect(startEmbeddedHost({ ...options(), port: 0 })).rejects.toThrow('no usable private key');
    expect(await readFile(join(stateDirectory, 'host_key'), 'utf8')).toBe('nonsense');
  });

  it('and a taken port is told as such', async () => {
    await expect(startEmbeddedHost({ ...options(), port: test.host.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('what is no SSH', () => {
  it.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a huge packet', Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(1024, 0xff)])],
    ['nothing but a name', Buffer.from('SSH-2.0-x\r\n')],
  ])('%s leaves the host running', async (_name, bytes) => {
    const socket = connectSocket(test.host.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.end(bytes);
    socket.resume();
    await once(socket, 'close');
    (await connect(test)).end();
  });
});
