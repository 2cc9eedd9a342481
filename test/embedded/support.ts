// What the tests of the embedded host share: a host in temporary directories, and the real clients that talk to it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, readdirSync, readlinkSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type Client, type ClientChannel, type ConnectConfig, type SFTPWrapper } from 'ssh2';
import type { Log } from '../../src/core/ports.js';
import { startEmbeddedHost, type EmbeddedHost } from '../../src/embedded/embedded-host.js';
import { FieldReader, packet, PacketSplitter, PacketType, PROTOCOL_VERSION, string, uint32 } from '../../src/embedded/wire.js';

export interface TestHost {
  readonly host: EmbeddedHost;
  /** Canonical; `/` for clients. */
  readonly root: string;
  /** Beside the root: for what must stay out of reach, and for the client's own files. */
  readonly outside: string;
  /** Events of level error: the host met something it didn't expect. */
  readonly faults: readonly unknown[];
  stop(): Promise<void>;
}

export async function startTestHost(): Promise<TestHost> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'longshore-embedded-')));
  const [root, outside, stateDirectory] = [join(base, 'data'), join(base, 'outside'), join(base, 'state')];
  await mkdir(outside);
  const faults: unknown[] = [];
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (fields, event) => faults.push({ event, ...fields }),
  };
  const host = await startEmbeddedHost({ directory: root, stateDirectory, address: '127.0.0.1', port: 0, log });
  await writeFile(join(outside, 'known_hosts'), `[127.0.0.1]:${host.port} ${host.hostKey}\n`);
  const stop = async (): Promise<void> => {
    await host.close();
    await rm(base, { recursive: true, force: true });
  };
  return { host, root, outside, faults, stop };
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; one that hangs is killed by the test's own timeout through `signal`. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: options.signal,
    env: { ...process.env, ...options.env },
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  child.stdin.on('error', () => undefined); // some don't read to the end
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: stdout(), stderr: stderr() };
}

export interface RunOptions {
  readonly input?: string;
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  return () => Buffer.concat(pieces).toString();
}

/** Arguments of OpenSSH's clients that make them trust the host by its key and use ours. */
export function sshOptions({ host, outside }: TestHost): string[] {
  const options = {
    IdentitiesOnly: 'yes',
    IdentityFile: host.privateKeyFile,
    UserKnownHostsFile: join(outside, 'known_hosts'),
    StrictHostKeyChecking: 'yes',
    PasswordAuthentication: 'no',
    LogLevel: 'ERROR',
    Port: String(host.port),
  };
  return ['-F', 'none', ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** Runs OpenSSH's `sftp` over the commands; `-command` may fail, as in its batch files. */
export function sftp(test: TestHost, ...commands: readonly string[]): Promise<Outcome> {
  const args = ['-b', '-', ...sshOptions(test), `${test.host.username}@127.0.0.1`];
  return run('sftp', args, { input: `${commands.join('\n')}\n` });
}

/** Connects with ssh2's client; rejects when it is refused. */
export async function connect({ host }: TestHost, changes: Partial<ConnectConfig> = {}): Promise<Client> {
  const client = new ssh2.Client();
  client.on('error', () => undefined); // a second one may come when the test is over
  const ready = new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject);
    client.once('close', () => reject(new Error('closed')));
  });
  client.connect({
    host: '127.0.0.1',
    port: host.port,
    username: host.username,
    privateKey: host.privateKey,
    hostVerifier: (key: Buffer) => fingerprint(key) === host.hostKeyFingerprint,
    ...changes,
  });
  await ready;
  client.setNoDelay(true);
  return client;
}

export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** A call of ssh2's client as a promise. */
export function call<T = unknown>(start: (done: (error?: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error ? reject(error) : resolve(value as T)));
  });
}

export function openSftp(client: Client): Promise<SFTPWrapper> {
  return call<SFTPWrapper>((done) => client.sftp(done));
}

/** Lends an SFTP session on a connection of its own. */
export async function withSftp<T>(test: TestHost, work: (session: SFTPWrapper, client: Client) => Promise<T>): Promise<T> {
  const client = await connect(test);
  try {
    return await work(await openSftp(client), client);
  } finally {
    client.end();
  }
}

/** SFTP status of a call that must fail. */
export async function statusOf(operation: Promise<unknown>): Promise<number | undefined> {
  try {
    await operation;
  } catch (error) {
    return (error as { code?: number }).code;
  }
  return 0;
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** What this process, and so the host in it, has open below a directory. */
export function openBelow(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const place = readlinkSync(`/proc/self/fd/${descriptor}`);
      return place === directory || place.startsWith(`${directory}/`) ? [place] : [];
    } catch {
      return []; // the descriptor of readdir itself
    }
  });
}

/** An SFTP session without ssh2's SFTP client: for requests that it can't or won't send. */
export class RawSftp {
  readonly #channel: ClientChannel;
  readonly #splitter = new PacketSplitter();
  readonly #waiting = new Map<number, (reply: RawReply) => void>();
  #lastId = 0;

  private constructor(channel: ClientChannel) {
    this.#channel = channel;
    channel.on('data', (piece: Buffer) => {
      for (const { type, head } of this.#splitter.push(piece)) this.#settle(type, head);
    });
  }

  static async open(client: Client): Promise<RawSftp> {
    const session = new RawSftp(await call<ClientChannel>((done) => client.subsys('sftp', done)));
    const version = new Promise<RawReply>((resolve) => session.#waiting.set(PROTOCOL_VERSION, resolve));
    session.write(packet(PacketType.init, uint32(PROTOCOL_VERSION)));
    await version;
    return session;
  }

  get channel(): ClientChannel {
    return this.#channel;
  }

  write(bytes: Buffer): void {
    this.#channel.write(bytes);
  }

  /** Sends without waiting for earlier replies. */
  request(type: number, ...fields: readonly Buffer[]): Promise<RawReply> {
    this.#lastId += 1;
    const id = 1000 + this.#lastId;
    const reply = new Promise<RawReply>((resolve) => this.#waiting.set(id, resolve));
    this.write(packet(type, uint32(id), ...fields));
    return reply;
  }

  async status(type: number, ...fields: readonly Buffer[]): Promise<number> {
    const reply = await this.request(type, ...fields);
    if (reply.type !== PacketType.status) throw new Error(`reply of type ${reply.type}`);
    return reply.fields.uint32();
  }

  async open(path: string, flags: number): Promise<Buffer> {
    const reply = await this.request(PacketType.open, string(Buffer.from(path)), uint32(flags), uint32(0));
    if (reply.type !== PacketType.handle) throw new Error(`status ${reply.fields.uint32()}`);
    return reply.fields.bytes();
  }

  /** VERSION has the protocol's version where replies have an id. */
  #settle(type: number, head: Buffer): void {
    const fields = new FieldReader(head, 1);
    const id = fields.uint32();
    const settle = this.#waiting.get(id);
    this.#waiting.delete(id);
    settle?.({ type, fields });
  }
}

export interface RawReply {
  readonly type: number;
  readonly fields: FieldReader;
}
