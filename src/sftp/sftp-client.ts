// SFTP version 3 on a plain SSH channel: requests go out, and replies find whoever asked.
//
// ssh2 1.17 has a client of its own (`client.sftp`), but each of its writes keeps the data and a copy of it until the server has
// answered, and it tells neither the server's extensions nor when a channel is full.
import type { ClientChannel } from 'ssh2';
import { Fault } from '../core/problems.js';
import type { Reply } from './answers.js';
import { hello, ID_OFFSET, type Request } from './requests.js';
import { StatusError, toFault } from './status-codes.js';
import { FieldReader, MalformedPacket, PacketSplitter, PacketType } from './wire.js';

export interface SftpClientOptions {
  /** With the server's end of the protocol on it and nothing read of it yet. */
  readonly stream: ClientChannel;
  /** Called once, with what everything pending and later rejects with. */
  readonly onEnd: (fault: Fault) => void;
  /** The stream has taken all it was given, after `isFull`. */
  readonly onDrain: () => void;
  /** Called with each call that was answered. */
  readonly onAnswer?: (call: CallFacts) => void;
  /** Default 0. */
  readonly firstId?: number;
}

/** For whom a request is made. */
export interface CallFacts {
  readonly what: string;
  readonly timeoutMs: number;
  /** Monotonic ms. */
  readonly askedAt: number;
}

/** Stands for the id of the greeting, which has none. */
const GREETING = -1;

export class SftpClient {
  readonly #options: SftpClientOptions;
  readonly #splitter = new PacketSplitter();
  /** By id, in the order of their issue. */
  readonly #pending = new Map<number, PendingCall>();
  /** Heads of requests that leave when this turn has ended. */
  #unsent: Buffer[] = [];
  #nextId: number;
  #isFull = false;
  #exitCode: number | null | undefined;
  #fault: Fault | undefined;

  constructor(options: SftpClientOptions) {
    this.#options = options;
    this.#nextId = options.firstId ?? 0;
    const { stream } = options;
    stream.on('data', (piece: Buffer) => this.#take(piece));
    // What nobody reads would fill the channel's window.
    stream.stderr.resume();
    stream.on('error', (error: Error) =>
      this.end(new Fault('HOST_UNREACHABLE', `SFTP session: ${error.message}`, { cause: error })),
    );
    stream.on('exit', (code: number | null) => {
      this.#exitCode = code;
      if (this.#isGreeting) this.#onGone();
    });
    // Of a server that goes before its greeting the exit code is still to come.
    stream.on('end', () => {
      if (!this.#isGreeting) this.#onGone();
    });
    stream.on('close', () => this.#onGone());
  }

  get isDead(): boolean {
    return this.#fault !== undefined;
  }

  /** Whether the stream holds bytes that SSH's window has no room for: further data should wait for `onDrain`. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The call that was made first of those without an answer. */
  get oldest(): CallFacts | undefined {
    for (const call of this.#pending.values()) return call;
    return undefined;
  }

  /** To be called before anything else; resolves with the server's extensions. */
  greet(facts: CallFacts): Promise<ReadonlyMap<string, string>> {
    return this.#send(GREETING, hello, facts);
  }

  /**
   * Rejects with the fault of the server's status, or with what ended the session. The request's body must stay as it is until then;
   * it isn't held any longer than until SSH has taken it.
   */
  request<T>(request: Request<T>, facts: CallFacts): Promise<T> {
    const id = this.#freeId();
    request.head.writeUInt32BE(id, ID_OFFSET);
    return this.#send(id, request, facts);
  }

  /** Ends the session; the first fault counts. */
  end(fault: Fault): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    for (const call of this.#pending.values()) call.reject(fault);
    this.#pending.clear();
    this.#options.stream.close();
    this.#options.onEnd(fault);
  }

  #send<T>(id: number, { head, body = [], read }: Request<T>, facts: CallFacts): Promise<T> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    const { stream } = this.#options;
    const answer = new Promise<T>((resolve, reject) => this.#pending.set(id, pendingCall({ ...facts, read, resolve, reject })));
    // What is asked for in one turn goes out together: in one packet of SSH, by one call of the kernel, at both ends.
    if (this.#unsent.length === 0) process.nextTick(this.#flush);
    this.#unsent.push(head);
    if (body.length === 0) return answer;
    this.#flush();
    for (const part of body) stream.write(part, this.#onTaken);
    if (stream.writableLength > 0) this.#isFull = true;
    return answer;
  }

  readonly #flush = (): void => {
    const [first, ...others] = this.#unsent;
    if (first === undefined || this.#fault !== undefined) return;
    this.#unsent = [];
    const { stream } = this.#options;
    stream.write(others.length === 0 ? first : Buffer.concat([first, ...others]), this.#onTaken);
    if (stream.writableLength > 0) this.#isFull = true;
  };

  readonly #onTaken = (): void => {
    if (!this.#isFull || this.#options.stream.writableLength > 0) return;
    this.#isFull = false;
    this.#options.onDrain();
  };

  /** Ids are 32 bits wide and come round; a call may outlive a round. */
  #freeId(): number {
    while (this.#pending.has(this.#nextId)) this.#nextId = (this.#nextId + 1) >>> 0;
    const id = this.#nextId;
    this.#nextId = (id + 1) >>> 0;
    return id;
  }

  #take(piece: Buffer): void {
    try {
      for (const packet of this.#splitter.push(piece)) {
        if (this.#fault !== undefined) return;
        this.#accept(packet);
      }
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      this.end(new Fault('HOST_UNREACHABLE', `SFTP session: the server broke the protocol with ${said}`, { cause: error }));
    }
  }

  #accept(packet: Buffer): void {
    const fields = new FieldReader(packet);
    const type = fields.byte();
    const id = type === PacketType.version ? GREETING : fields.uint32();
    const call = this.#pending.get(id);
    if (call === undefined) throw new MalformedPacket(`a packet of type ${type} that answers nothing`);
    // Where this throws the call is still pending, and ends with the session.
    call.answer({ type, fields });
    this.#pending.delete(id);
    this.#options.onAnswer?.(call);
  }

  get #isGreeting(): boolean {
    return this.#pending.has(GREETING);
  }

  #onGone(): void {
    if (this.#isGreeting && typeof this.#exitCode === 'number') {
      this.end(new Fault('HOST_UNSUPPORTED', `SFTP session: its server ended with exit code ${this.#exitCode}`));
    } else this.end(new Fault('HOST_UNREACHABLE', 'the SFTP session ended'));
  }
}

interface PendingCall extends CallFacts {
  /** Throws `MalformedPacket`. */
  readonly answer: (reply: Reply) => void;
  readonly reject: (fault: Fault) => void;
}

interface Expected<T> extends CallFacts {
  readonly read: (reply: Reply) => T;
  readonly resolve: (value: T) => void;
  readonly reject: (fault: Fault) => void;
}

/** A function of its own, so that nothing of the request but what it is given is held until the answer comes. */
function pendingCall<T>({ what, timeoutMs, askedAt, read, resolve, reject }: Expected<T>): PendingCall {
  const answer = (reply: Reply): void => {
    try {
      resolve(read(reply));
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      reject(toFault(error, what));
    }
  };
  return { what, timeoutMs, askedAt, answer, reject };
}
