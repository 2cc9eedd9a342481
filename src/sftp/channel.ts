// One SFTP session with the promises that the protocol lacks: every call ends, and once the session is dead every call ends at once.
import type { ClientChannel } from 'ssh2';
import { Fault, isFault } from '../core/problems.js';
import { offersLimits, type ServerCapabilities, toCapabilities } from './capabilities.js';
import type { Context } from './limits.js';
import type { Outbox } from './outbox.js';
import * as requests from './requests.js';
import { SendWindow } from './send-window.js';
import { type CallFacts, SftpClient } from './sftp-client.js';
import { abortable, every } from './timers.js';

export interface ChannelOptions {
  /** The subsystem `sftp`, just begun. */
  readonly stream: ClientChannel;
  readonly outbox: Outbox;
  readonly context: Context;
  /** Called with the time that an answer took, ms. */
  readonly onAnswer?: (tookMs: number) => void;
  /** Called again and again while a call is waited for that may take longer than others. */
  readonly onPatience?: () => void;
  /** Whether the host has left a call on another session unanswered: then no call may take longer than others. */
  readonly isDoubted?: () => boolean;
  /** Called once. `silent`: the server left a call unanswered, so it may sit on the session for as long as it lives. */
  readonly onDeath: (cause: 'silent' | 'gone') => void;
}

/** How many times the deadline is looked at before it passes. It is late by at most two looks. */
const LOOKS_PER_DEADLINE = 20;

export class Channel {
  /** Shared by all writes on the channel. */
  readonly writeWindow: SendWindow;
  readonly #client: SftpClient;
  readonly #outbox: Outbox;
  readonly #context: Context;
  readonly #onPatience: () => void;
  readonly #isDoubted: () => boolean;
  #capabilities = toCapabilities(new Map());
  #isSilent = false;
  #stopWatch: (() => void) | undefined;
  /** The oldest pending call as of the last look, and how many looks ago its bytes had left. */
  #oldest: CallFacts | undefined;
  #oldestQueuedBytes = 0;
  #silentLooks = 0;

  constructor({ stream, outbox, context, onAnswer, onPatience, isDoubted, onDeath }: ChannelOptions) {
    this.writeWindow = new SendWindow(context.limits.writeWindowBytes, () => this.#isFull, context.writeBound);
    this.#outbox = outbox;
    this.#context = context;
    this.#onPatience = onPatience ?? (() => undefined);
    this.#isDoubted = isDoubted ?? (() => false);
    this.#client = new SftpClient({
      stream,
      onDrain: () => this.goOn(),
      onAnswer: ({ askedAt }) => onAnswer?.(context.clock.monotonic() - askedAt),
      onEnd: (fault) => {
        this.#endWatch();
        this.writeWindow.close(fault);
        onDeath(this.#isSilent ? 'silent' : 'gone');
      },
    });
  }

  get isDead(): boolean {
    return this.#client.isDead;
  }

  /** Known once the server was greeted; before, those of a plain server. */
  get capabilities(): ServerCapabilities {
    return this.#capabilities;
  }

  /**
   * To be called first; resolves when calls may be made. When the server doesn't answer until `signal` aborts, or can't be spoken
   * to (`HOST_UNSUPPORTED`), the session is ended.
   */
  async greet(signal: AbortSignal): Promise<this> {
    try {
      this.#capabilities = await abortable(this.#askCapabilities(), signal);
      return this;
    } catch (error) {
      this.end(isFault(error) ? error : new Fault('HOST_UNREACHABLE', 'the SFTP session did not begin', { cause: error }));
      throw error;
    }
  }

  /**
   * Sends one request and resolves with its answer. Rejects with the fault of the server's status, or with `HOST_UNREACHABLE`: at
   * once on a dead session, and when the request was the oldest unanswered one of the channel for its whole deadline (by default
   * `callTimeoutMs`; a longer one only as long as the host isn't doubted) after its bytes had left. That ends the session.
   */
  call<T>(what: string, request: requests.Request<T>, timeoutMs = this.#context.limits.callTimeoutMs): Promise<T> {
    const answer = this.#client.request(request, { what, timeoutMs, askedAt: this.#context.clock.monotonic() });
    if (!this.isDead) this.#stopWatch ??= every(this.#context.clock, this.#lookIntervalMs(), () => this.#look());
    return answer;
  }

  /**
   * Positional write of at most `capabilities.maxWriteBytes` in all, to be made when `writeWindow` lets it. The data must stay as it
   * is until the promise settles.
   */
  write(handle: Buffer, data: readonly Buffer[], position: number): Promise<void> {
    return this.#outbox.together(() => this.call('write', requests.write(handle, position, data)));
  }

  /** To be called when the outbox was full and is no more. */
  goOn(): void {
    this.writeWindow.admit();
  }

  /** Ends the session; what is pending and what comes later rejects with `fault`. */
  end(fault: Fault): void {
    this.#client.end(fault);
  }

  async #askCapabilities(): Promise<ServerCapabilities> {
    const { clock, limits } = this.#context;
    const facts = { what: 'greet the SFTP server', timeoutMs: limits.callTimeoutMs, askedAt: clock.monotonic() };
    const extensions = await this.#client.greet(facts);
    if (!offersLimits(extensions)) return toCapabilities(extensions);
    try {
      return toCapabilities(extensions, await this.call('ask for limits', requests.limits()));
    } catch (error) {
      if (this.isDead) throw error;
      return toCapabilities(extensions); // Offered and refused: as if it had not been offered.
    }
  }

  /** What would be written now would only wait, in this process's memory and before whatever else is asked of the host. */
  get #isFull(): boolean {
    return this.#client.isFull || this.#outbox.isFull();
  }

  #lookIntervalMs(): number {
    return Math.max(1, this.#context.limits.callTimeoutMs / LOOKS_PER_DEADLINE);
  }

  /**
   * One look at the oldest call, rather than a timer for each: servers answer in order, so the others wait for it. Looks are
   * counted, not milliseconds: while this process is frozen or busy no time passes for the server.
   */
  #look(): void {
    const { oldest } = this.#client;
    if (oldest === undefined) return this.#endWatch();
    if (oldest !== this.#oldest) {
      this.#oldest = oldest;
      this.#oldestQueuedBytes = this.#outbox.queuedBytes();
      this.#silentLooks = 0;
    }
    if (this.#outbox.sentBytes() < this.#oldestQueuedBytes) return;
    this.#silentLooks += 1;
    const timeoutMs = this.#deadlineOf(oldest);
    if (this.#silentLooks * this.#lookIntervalMs() <= timeoutMs) return;
    this.#isSilent = true;
    this.end(new Fault('HOST_UNREACHABLE', `no answer within ${timeoutMs} ms: ${oldest.what}`));
  }

  #deadlineOf({ timeoutMs }: CallFacts): number {
    const { callTimeoutMs } = this.#context.limits;
    if (timeoutMs <= callTimeoutMs) return timeoutMs;
    if (this.#isDoubted()) return callTimeoutMs;
    this.#onPatience();
    return timeoutMs;
  }

  #endWatch(): void {
    this.#stopWatch?.();
    this.#stopWatch = undefined;
    this.#oldest = undefined;
  }
}
