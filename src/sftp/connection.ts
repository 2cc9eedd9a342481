// One SSH connection to one host: its handshake, its liveness, and the channels on it.
import { connect, type Socket } from 'node:net';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import { Fault } from '../core/problems.js';
import { BulkChannels, type Lease } from './bulk-channels.js';
import { Channel } from './channel.js';
import { answerPasswordPrompt, clientConfig, isPrefixTruncatable, type SshHostOptions } from './client-config.js';
import type { ConnectionLoad } from './growth.js';
import { expectHostKeys } from './host-keys.js';
import type { Context } from './limits.js';
import { goOnInTurn, type Outbox, outboxOf } from './outbox.js';
import { realpath } from './requests.js';
import { type ConnectionPhase, toConnectionFault, toSessionFault } from './status-codes.js';
import { abortable, after, every } from './timers.js';

/** How many times the silence of a connection is looked at before it counts as dead. */
const LOOKS_PER_SILENCE = 10;
/** How long a goodbye may take before the socket is simply closed. */
const GOODBYE_MS = 1_000;

export class Connection {
  readonly #host: SshHostOptions;
  readonly #context: Context;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #client: Client;
  readonly #bulk: BulkChannels;
  /** Aborts with the fault that ended the connection. */
  readonly #ended = new AbortController();
  readonly #channels = new Set<Channel>();
  #phase: ConnectionPhase = 'handshake';
  #keyRefusal: string | undefined;
  #control: Promise<Channel> | undefined;
  #isRetired = false;
  #roundTripMs = Infinity;
  /** Bytes that were acknowledged on channels that are no more. */
  #earlierBytes = 0;
  #isAsking = false;

  /** Connects, authenticates and opens the control channel; rejects with a fault within `connectTimeoutMs`, or with the signal's. */
  static async open(host: SshHostOptions, context: Context, signal: AbortSignal): Promise<Connection> {
    const connection = new Connection(host, context);
    const { connectTimeoutMs } = context.limits;
    const cancel = after(context.clock, connectTimeoutMs, () => {
      connection.#end(new Fault('HOST_UNREACHABLE', `${host.profile.id} did not answer within ${connectTimeoutMs} ms`));
    });
    const onAbort = (): void => connection.#end(signal.reason as Fault);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await connection.#shakeHands();
      await connection.control();
      return connection;
    } catch (error) {
      connection.#end(error instanceof Fault ? error : connection.#faultOf(error as Error));
      throw connection.#ended.signal.reason;
    } finally {
      cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  private constructor(host: SshHostOptions, context: Context) {
    this.#host = host;
    this.#context = context;
    this.#bulk = new BulkChannels({
      limit: context.limits.bulkChannels,
      open: () => this.openChannel(),
      fallBack: () => this.control(),
      random: context.random,
    });
    this.#socket = connect({ host: host.address, port: host.port, noDelay: true });
    this.#outbox = outboxOf(this.#socket, () => goOnInTurn(this.#channels, () => this.#outbox.isFull()));
    this.#client = new ssh2.Client();
    this.#client.on('error', (error) => this.#end(this.#faultOf(error)));
    this.#client.on('close', () => this.#end(new Fault('HOST_UNREACHABLE', `the connection to ${host.profile.id} was closed`)));
  }

  /** Nothing new should be begun on it: it has ended, or a session on it was lost to a server that no longer answers. */
  get isRetired(): boolean {
    return this.#isRetired || this.#ended.signal.aborted;
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  get load(): ConnectionLoad {
    const loads = [...this.#channels].map((channel) => channel.writeWindow.load);
    return {
      channels: this.#context.limits.bulkChannels,
      writers: loads.reduce((sum, { writers }) => sum + writers, 0),
      writtenBytes: loads.reduce((sum, { givenBytes }) => sum + givenBytes, this.#earlierBytes),
      underWayBytes: loads.reduce((sum, { takenBytes }) => sum + takenBytes, 0),
      windowBytes: this.#context.limits.bulkChannels * this.#context.limits.writeWindowBytes,
      roundTripMs: this.#roundTripMs,
    };
  }

  /** The channel for everything but open files. One that died is replaced. */
  async control(): Promise<Channel> {
    const opening = (this.#control ??= this.openChannel());
    try {
      const channel = await opening;
      if (!channel.isDead) return channel;
    } catch (error) {
      if (this.#control === opening) this.#control = undefined;
      throw error;
    }
    if (this.#control === opening) this.#control = undefined;
    return this.control();
  }

  /** A channel for an open file. */
  lendBulk(person: string | undefined): Promise<Lease> {
    return this.#bulk.lend(person);
  }

  /** A channel that nobody else is lent, until its `end`; `HOST_BUSY` where the server has no session left. */
  openChannel(): Promise<Channel> {
    return this.#openSession('open an SFTP session', {
      open: (done) => this.#client.subsys('sftp', done),
      adopt: (stream, signal) => this.#adopt(stream).greet(signal),
    });
  }

  /**
   * Starts a command; `HOST_UNSUPPORTED` where the server refuses commands, `HOST_BUSY` where it has no session left. `adopt` is
   * given the channel before anything of it can be missed.
   */
  exec<T>(command: string, adopt: (channel: ClientChannel) => T): Promise<T> {
    return this.#openSession('run a command', { open: (done) => this.#client.exec(command, done), adopt });
  }

  /** Aborts when the connection has ended, with the fault as its reason. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Says goodbye and resolves when the socket is closed. What is pending rejects. */
  async close(): Promise<void> {
    this.#endWith(new Fault('HOST_UNREACHABLE', `the connection to ${this.#host.profile.id} was closed by us`));
    if (this.#socket.closed) return;
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#client.end();
    this.#socket.destroySoon();
    const cancel = after(this.#context.clock, GOODBYE_MS, () => this.#socket.destroy());
    await closed;
    cancel();
  }

  #shakeHands(): Promise<void> {
    const { limits } = this.#context;
    const hostKeys = expectHostKeys(this.#host);
    const ready = new Promise<void>((resolve) => {
      this.#client.once('handshake', (negotiated) => {
        this.#phase = 'authentication';
        // Before we say who we are.
        if (isPrefixTruncatable(this.#client, negotiated)) this.#end(this.#noStrictKeyExchange());
      });
      this.#client.once('ready', () => {
        this.#phase = 'ready';
        this.#watchSilence();
        resolve();
      });
    });
    const verify = (key: Buffer): boolean => {
      const verdict = hostKeys.verify(key);
      if (verdict.kind === 'refused') this.#keyRefusal = verdict.why;
      return verdict.kind === 'expected';
    };
    answerPasswordPrompt(this.#client, this.#host.authentication);
    try {
      this.#client.connect({ ...clientConfig(this.#host, hostKeys.types, limits), sock: this.#socket, hostVerifier: verify });
    } catch (error) {
      // ssh2 throws on a private key it can't read or decrypt.
      throw new Fault('HOST_AUTH_FAILED', `the key for ${this.#host.profile.id}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return abortable(ready, this.#ended.signal);
  }

  #adopt(stream: ClientChannel): Channel {
    const channel: Channel = new Channel({
      stream,
      context: this.#context,
      outbox: this.#outbox,
      onAnswer: (tookMs) => {
        this.#roundTripMs = Math.min(this.#roundTripMs, tookMs);
      },
      onPatience: () => void this.#askBeside(channel),
      isDoubted: () => this.#isRetired,
      onDeath: (cause) => this.#forget(channel, cause),
    });
    this.#channels.add(channel);
    return channel;
  }

  /** Opens a session channel within `callTimeoutMs`. A server that lets that pass gets nothing new on this connection. */
  async #openSession<T>(doing: string, kind: SessionKind<T>): Promise<T> {
    this.#ended.signal.throwIfAborted();
    if (this.#isRetired) throw new Fault('HOST_UNREACHABLE', `${doing}: the host left a call unanswered; connecting anew`);
    const { clock, limits } = this.#context;
    const late = new AbortController();
    const opening = new Promise<T>((resolve, reject) => {
      try {
        kind.open((error, channel) => {
          if (error) reject(toSessionFault(error, doing));
          else if (late.signal.aborted) channel.close();
          else resolve(kind.adopt(channel, late.signal));
        });
      } catch (error) {
        // ssh2 throws when the socket is gone and it has not told yet.
        reject(toSessionFault(error as Error, doing));
      }
    });
    const cancel = after(clock, limits.callTimeoutMs, () => {
      this.#isRetired = true;
      late.abort(new Fault('HOST_UNREACHABLE', `${doing}: no answer within ${limits.callTimeoutMs} ms`));
    });
    const onEnd = (): void => late.abort(this.#ended.signal.reason);
    this.#ended.signal.addEventListener('abort', onEnd, { once: true });
    try {
      return await abortable(opening, late.signal);
    } finally {
      cancel();
      this.#ended.signal.removeEventListener('abort', onEnd);
    }
  }

  /**
   * Asks for a sign of life by another session, while one keeps us waiting for longer than any dead host may: its server may sit in an
   * fsync, and no host answers nothing meanwhile. Whoever leaves this unanswered retires the connection.
   */
  async #askBeside(waiting: Channel): Promise<void> {
    if (this.#isAsking || this.isRetired) return;
    this.#isAsking = true;
    let release = (): void => undefined;
    try {
      let channel = await this.control();
      if (channel === waiting) ({ channel, release } = await this.#bulk.lend(undefined));
      if (channel !== waiting) await channel.call('ask for a sign of life', realpath('.'));
    } catch {
      // Its end tells by itself; a refusal is a sign of life, too.
    } finally {
      release();
      this.#isAsking = false;
    }
  }

  #forget(channel: Channel, cause: 'silent' | 'gone'): void {
    this.#channels.delete(channel);
    this.#earlierBytes += channel.writeWindow.load.givenBytes;
    // sshd keeps a session whose server hangs, and counts it: better a new connection than one lost session after the other.
    if (cause === 'silent') this.#isRetired = true;
  }

  /** sshd answers ssh2's pings. Any byte counts, since behind a slow link's queue an answer to a ping may take its time. */
  #watchSilence(): void {
    const { clock, limits } = this.#context;
    let heardBytes = this.#socket.bytesRead;
    let silentLooks = 0;
    const cancel = every(clock, limits.silenceTimeoutMs / LOOKS_PER_SILENCE, () => {
      silentLooks = this.#socket.bytesRead === heardBytes ? silentLooks + 1 : 0;
      heardBytes = this.#socket.bytesRead;
      if (silentLooks < LOOKS_PER_SILENCE) return;
      this.#end(new Fault('HOST_UNREACHABLE', `nothing heard from ${this.#host.profile.id} for ${limits.silenceTimeoutMs} ms`));
    });
    this.#ended.signal.addEventListener('abort', cancel, { once: true });
  }

  #noStrictKeyExchange(): Fault {
    const what = 'its key exchange is not strict (CVE-2023-48795), and it offers no AES-GCM and no AES-CTR with plain MACs';
    return new Fault('HOST_UNSUPPORTED', `${this.#host.profile.id}: ${what}`);
  }

  #faultOf(error: Error): Fault {
    const host = this.#host.profile.id;
    if (this.#keyRefusal === undefined) return toConnectionFault(error, this.#phase, host);
    return new Fault('HOST_KEY_MISMATCH', `${host}: ${this.#keyRefusal}`, { cause: error });
  }

  #end(fault: Fault): void {
    this.#endWith(fault);
    this.#socket.destroy();
  }

  /** The first cause counts. */
  #endWith(fault: Fault): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(fault);
    for (const channel of [...this.#channels]) channel.end(fault);
  }
}

interface SessionKind<T> {
  readonly open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void;
  /** Called as soon as it is open: its events may come right after. What else it takes must be done before the signal aborts. */
  readonly adopt: (channel: ClientChannel, signal: AbortSignal) => T | Promise<T>;
}
