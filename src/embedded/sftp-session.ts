// One SFTP session: packets come off an SSH channel, run in their order, and replies go back.
//
// ssh2 1.17 has an SFTP server side of its own (`session.on('sftp')`), but it answers VERSION without extensions, takes no
// back-pressure, and decodes names as UTF-8. Asked for as a `subsystem` the same request gives a plain channel, so we speak SFTP on
// that ourselves, with documented API alone.
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { ServerChannel } from 'ssh2';
import type { Log } from '../core/ports.js';
import { extendedRequest, unsupported, versionReply } from './extensions.js';
import * as file from './file-requests.js';
import { HandleTable } from './handles.js';
import type { Jail } from './jail.js';
import * as path from './path-requests.js';
import { RequestOrder } from './request-order.js';
import type { Request, RequestHandler, Work, Workplace } from './requests.js';
import { errorReply, isExpected } from './status.js';
import { FieldReader, MalformedPacket, PacketSplitter, PacketType, type Packet } from './wire.js';

export interface SftpSessionOptions {
  readonly channel: ServerChannel;
  /** What the channel's bytes leave through: replies wait when it is full, whatever window the client granted. */
  readonly socket: Writable;
  /** Aborts when the client has closed the channel or the connection is lost. The channel's own `close` waits until all is read. */
  readonly gone: AbortSignal;
  readonly jail: Jail;
  readonly symlinkOrder: Workplace['symlinkOrder'];
  readonly log: Log;
}

/** Serves SFTP on a channel until the client ends it or goes. Resolves, never rejects, when all its handles are closed. */
export function serveSftp(options: SftpSessionOptions): Promise<void> {
  return new SftpSession(options).serve();
}

/** What may wait in the socket for a client that grants a large window and doesn't read: then replies are held back. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;

class SftpSession {
  readonly #channel: ServerChannel;
  readonly #socket: Writable;
  readonly #log: Log;
  readonly #splitter = new PacketSplitter();
  readonly #order = new RequestOrder(() => this.#onRequestEnded());
  readonly #place: Workplace;
  readonly #gone: AbortSignal;
  /** Of the replies that wait for the client's window; ssh2 forgets their callbacks when the channel is closed. */
  readonly #onSent = new Set<() => void>();
  #hasVersion = false;
  #isBroken = false;
  #drained: Promise<unknown> | undefined;

  constructor({ channel, socket, gone, jail, symlinkOrder, log }: SftpSessionOptions) {
    this.#channel = channel;
    this.#socket = socket;
    this.#gone = gone;
    this.#log = log;
    this.#place = { jail, handles: new HandleTable(), signal: gone, symlinkOrder };
  }

  async serve(): Promise<void> {
    this.#channel.on('error', (err: unknown) => this.#log.debug({ err }, 'embedded host: channel failed'));
    await this.#takeAll();
    await this.#order.idle();
    await this.#place.handles.closeAll();
    // Unasked, ssh2 leaves the channel open when the client has sent EOF, and OpenSSH's sftp waits for that at `quit`.
    this.#channel.exit(this.#isBroken ? 1 : 0);
    this.#channel.end();
  }

  /** Resolves when no more requests come: the client has sent its last, has gone, or makes no sense. */
  #takeAll(): Promise<void> {
    return new Promise((resolve) => {
      const onGone = (): void => {
        this.#order.dropWaiting();
        for (const sent of this.#onSent) sent();
        resolve();
      };
      if (this.#gone.aborted) return onGone();
      this.#gone.addEventListener('abort', onGone, { once: true });
      this.#channel.once('end', resolve);
      this.#channel.on('data', (piece: Buffer) => {
        // What a client that has gone left in the channel's buffer is not carried out.
        if (!this.#isBroken && !this.#gone.aborted) this.#take(piece);
        if (this.#isBroken) resolve();
      });
    });
  }

  /** A packet without a length or an id can't be answered: after it the stream makes no sense any more. */
  #take(piece: Buffer): void {
    try {
      for (const packet of this.#splitter.push(piece)) this.#accept(packet);
    } catch (error) {
      this.#log.warn({ err: error }, 'embedded host: broken SFTP stream');
      this.#isBroken = true;
      this.#order.dropWaiting();
    }
    if (this.#order.isFull) this.#channel.pause();
  }

  #accept({ type, head, tail, lengthBytes }: Packet): void {
    const fields = new FieldReader(head, 1);
    if (!this.#hasVersion) return this.#answerVersion(type, fields);
    const id = fields.uint32();
    const work = this.#prepare(type, { id, fields, tail });
    this.#order.add({ span: work.span, lengthBytes, run: () => this.#run(id, work) });
  }

  /** draft-02 section 4. The client falls back to our version, or goes. */
  #answerVersion(type: number, fields: FieldReader): void {
    if (type !== PacketType.init) throw new MalformedPacket(`packet ${type} before INIT`);
    fields.uint32();
    this.#hasVersion = true;
    this.#channel.write(versionReply());
  }

  #prepare(type: number, request: Request): Work {
    try {
      return (HANDLERS.get(type) ?? unsupported)(request, this.#place);
    } catch (error) {
      return { run: () => Promise.reject(error) };
    }
  }

  /** Ends when the reply is on its way, so that the bound on running requests is one on waiting replies, too. */
  async #run(id: number, work: Work): Promise<void> {
    const reply = await work.run().catch((error: unknown) => this.#errorReply(id, error));
    await this.#send(reply);
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) await (this.#drained ??= this.#drain());
  }

  #send(reply: Buffer): Promise<void> {
    if (this.#gone.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sent = (): void => {
        this.#onSent.delete(sent);
        resolve();
      };
      this.#onSent.add(sent);
      this.#channel.write(reply, sent);
    });
  }

  async #drain(): Promise<void> {
    try {
      await once(this.#socket, 'drain', { signal: this.#gone });
    } catch {
      // The client has gone, and with it the need to wait.
    }
    this.#drained = undefined;
  }

  #errorReply(id: number, error: unknown): Buffer {
    if (!isExpected(error)) this.#log.error({ err: error }, 'embedded host: request failed');
    return errorReply(id, error);
  }

  #onRequestEnded(): void {
    if (!this.#order.isFull && this.#channel.isPaused()) this.#channel.resume();
  }
}

const HANDLERS: ReadonlyMap<number, RequestHandler> = new Map<number, RequestHandler>([
  [PacketType.open, file.openFile],
  [PacketType.close, file.closeHandle],
  [PacketType.read, file.readFile],
  [PacketType.write, file.writeFile],
  [PacketType.fstat, file.statHandle],
  [PacketType.fsetstat, file.setHandleAttributes],
  [PacketType.lstat, path.lstatPath],
  [PacketType.stat, path.statPath],
  [PacketType.setstat, path.setPathAttributes],
  [PacketType.opendir, path.openDirectory],
  [PacketType.readdir, path.readDirectory],
  [PacketType.remove, path.removeFile],
  [PacketType.mkdir, path.makeDirectory],
  [PacketType.rmdir, path.removeDirectory],
  [PacketType.realpath, path.resolvePath],
  [PacketType.rename, path.renamePath],
  [PacketType.readlink, path.readLink],
  [PacketType.symlink, path.makeLink],
  [PacketType.extended, extendedRequest],
]);
