// One SFTP session of ssh2 with the promises it lacks: every call ends, and once the session is dead every call ends at once.
import type { SFTPWrapper } from 'ssh2';
import { Fault } from '../core/problems.js';
import { readCapabilities, type ServerCapabilities } from './capabilities.js';
import type { Context } from './limits.js';
import { SendWindow } from './send-window.js';
import { toFault } from './status-codes.js';
import { every } from './timers.js';

/** ssh2's callbacks: an error, or the answer. */
export type Done<T> = (error?: Error | null, answer?: T) => void;

/** How far the connection's bytes are on their way out: it may take minutes to send what is queued on a slow link. */
export interface Outbox {
  /** Bytes ever given to the socket. */
  queuedBytes(): number;
  /** Those of them the kernel has taken. */
  sentBytes(): number;
}

export interface ChannelOptions {
  readonly sftp: SFTPWrapper;
  readonly outbox: Outbox;
  readonly context: Context;
  /** Called once. `silent`: the server left a call unanswered, so it may sit on the session for as long as it lives. */
  readonly onDeath: (cause: 'silent' | 'gone') => void;
}

interface PendingCall {
  readonly what: string;
  readonly timeoutMs: number;
  readonly reject: (fault: Fault) => void;
}

/** How many times the deadline is looked at before it passes. It is late by at most two looks. */
const LOOKS_PER_DEADLINE = 10;

export class Channel {
  readonly capabilities: ServerCapabilities;
  /** Shared by all writes on the channel. */
  readonly writeWindow: SendWindow;
  readonly #sftp: SFTPWrapper;
  readonly #outbox: Outbox;
  readonly #context: Context;
  readonly #onDeath: (cause: 'silent' | 'gone') => void;
  /** In the order of their issue. */
  readonly #pending = new Set<PendingCall>();
  #fault: Fault | undefined;
  #stopWatch: (() => void) | undefined;
  /** The oldest pending call as of the last look, and how many looks ago its bytes had left. */
  #oldest: PendingCall | undefined;
  #oldestQueuedBytes = 0;
  #silentLooks = 0;

  constructor(options: ChannelOptions) {
    this.capabilities = readCapabilities(options.sftp);
    this.writeWindow = new SendWindow(options.context.limits.writeWindowBytes);
    this.#sftp = options.sftp;
    this.#outbox = options.outbox;
    this.#context = options.context;
    this.#onDeath = options.onDeath;
    const gone = (): void => this.#die('gone', new Fault('HOST_UNREACHABLE', 'the SFTP session ended'));
    // ssh2 fails the pending requests at `end`, and never answers those made after it.
    this.#sftp.on('end', gone);
    this.#sftp.on('close', gone);
    this.#sftp.on('error', (error: Error) => this.#die('gone', toFault(error, 'SFTP session')));
  }

  get isDead(): boolean {
    return this.#fault !== undefined;
  }

  /**
   * Sends one request and resolves with its answer. Rejects with the fault of the server's status, or with `HOST_UNREACHABLE`: at
   * once on a dead session, and when the request was the oldest unanswered one of the channel for its whole deadline (by default
   * `callTimeoutMs`) after its bytes had left. That ends the session.
   */
  call<T>(what: string, issue: (sftp: SFTPWrapper, done: Done<T>) => void, timeoutMs?: number): Promise<T> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    return new Promise<T>((resolve, reject) => {
      const call: PendingCall = { what, timeoutMs: timeoutMs ?? this.#context.limits.callTimeoutMs, reject };
      this.#pending.add(call);
      this.#stopWatch ??= every(this.#context.clock, this.#lookIntervalMs(), () => this.#look());
      const done: Done<T> = (error, answer) => {
        // Whoever waited may have been told already that the session is dead.
        if (!this.#pending.delete(call)) return;
        if (error) reject(toFault(error, what));
        // ssh2 gives an answer whenever it gives no error; requests answered by a bare status have T = void.
        else resolve(answer as T);
      };
      try {
        issue(this.#sftp, done);
      } catch (error) {
        // ssh2 throws on arguments it won't send: our own mistake, and nothing is under way.
        this.#pending.delete(call);
        reject(error);
      }
    });
  }

  /** Positional write of at most `capabilities.maxWriteBytes`. The data may be reused when this returns. */
  write(handle: Buffer, data: Buffer, position: number): Promise<void> {
    return this.call<void>('write', (sftp, done) => sftp.write(handle, data, 0, data.length, position, done));
  }

  /** Positional read into `into`; resolves with the number of bytes, fewer where the server likes, 0 at the end of the file. */
  read(handle: Buffer, into: Buffer, position: number): Promise<number> {
    return this.call<number>('read', (sftp, done) => sftp.read(handle, into, 0, into.length, position, done));
  }

  /** Ends the session; what is pending and what comes later rejects with `fault`. */
  end(fault: Fault): void {
    this.#die('gone', fault);
  }

  #lookIntervalMs(): number {
    return Math.max(1, this.#context.limits.callTimeoutMs / LOOKS_PER_DEADLINE);
  }

  /**
   * One look at the oldest call, rather than a timer for each: servers answer in order, so the others wait for it. Looks are
   * counted, not milliseconds: while this process is frozen or busy no time passes for the server.
   */
  #look(): void {
    const [oldest] = this.#pending;
    if (oldest === undefined) return this.#endWatch();
    if (oldest !== this.#oldest) {
      this.#oldest = oldest;
      this.#oldestQueuedBytes = this.#outbox.queuedBytes();
      this.#silentLooks = 0;
    }
    if (this.#outbox.sentBytes() < this.#oldestQueuedBytes) return;
    this.#silentLooks += 1;
    if (this.#silentLooks * this.#lookIntervalMs() <= oldest.timeoutMs) return;
    this.#die('silent', new Fault('HOST_UNREACHABLE', `no answer within ${oldest.timeoutMs} ms: ${oldest.what}`));
  }

  #endWatch(): void {
    this.#stopWatch?.();
    this.#stopWatch = undefined;
    this.#oldest = undefined;
  }

  #die(cause: 'silent' | 'gone', fault: Fault): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    this.#endWatch();
    for (const call of this.#pending) call.reject(fault);
    this.#pending.clear();
    this.writeWindow.close(fault);
    // Also when the server closed first: ssh2 leaves that unanswered, and sshd would keep the session (MaxSessions).
    this.#sftp.end();
    this.#onDeath(cause);
  }
}
