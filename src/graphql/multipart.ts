// Takes a GraphQL multipart request in as a stream: the resolver starts when the file's part begins, its stream is busboy's own, and what
// the resolver doesn't take the client can't send. Written because graphql-upload-minimal's intake can be made to end the process, and
// lets a file over its limit end as if complete; its scalar and its contract of the resolver's side are used.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import type { GraphQLParams } from 'graphql-yoga';
import { Upload } from 'graphql-upload-minimal';
import type { FileUpload as LibraryFileUpload } from 'graphql-upload-minimal';
import type { BodyLimits } from './body-limits.js';
import { MAX_OPERATION_BYTES, Pace, invite, tooLarge } from './body-limits.js';
import type { Placement } from './multipart-fields.js';
import { badMultipart, readMap, readOperations } from './multipart-fields.js';
import { TurnBudget } from './turn-budget.js';

/** What the Upload scalar gives a resolver: graphql-upload-minimal's contract, but for the stream. */
export interface FileUpload extends Omit<LibraryFileUpload, 'createReadStream'> {
  /**
   * The bytes as they arrive. Once only. It ends when the whole body has come as it should, and errors when the client sent too much, too
   * little or nothing more: a file without the body's last boundary may be part of one.
   */
  createReadStream(): AsyncIterable<Uint8Array>;
  /** What was wrong with the request, when that made the stream fail. */
  failure(): Error | undefined;
}

/** Bytes around the file: boundaries, part headers and the map. */
const OVERHEAD_BYTES = MAX_OPERATION_BYTES + 64 * 1024;

/** What a socket delivers at once. Smaller, and busboy's part holds each piece back for another turn. */
const PIECE_BYTES = 64 * 1024;

const turnBudget = new TurnBudget();

export function isMultipart(req: IncomingMessage): boolean {
  return /^multipart\/form-data\s*(;|$)/i.test(req.headers['content-type'] ?? '');
}

/** Largest whole body that can hold a file of `maxFileBytes`. */
export function maxMultipartBytes(maxFileBytes: number): number {
  return maxFileBytes + OVERHEAD_BYTES;
}

/**
 * Resolves with the operation when its file's part begins. Rejects with `BAD_MULTIPART` or `PAYLOAD_TOO_LARGE`; after resolving, the same
 * errors come out of the file's stream. Everything ends with the response; the body's rest is left in the request, unread.
 */
export async function readMultipart(req: IncomingMessage, res: ServerResponse, limits: BodyLimits): Promise<GraphQLParams> {
  invite(req, res, maxMultipartBytes(limits.maxFileBytes));
  return new Promise((resolve, reject) => new Intake(req, limits, { resolve, reject }).begin(res));
}

interface Outcome {
  resolve(operations: GraphQLParams): void;
  reject(error: Error): void;
}

class Intake {
  readonly #req: IncomingMessage;
  readonly #limits: BodyLimits;
  readonly #outcome: Outcome;
  #parser: busboy.Busboy | undefined;
  #operations: Record<string, unknown> | undefined;
  #placement: Placement | undefined;
  #file: Readable | undefined;
  #failure: Error | undefined;
  #pace: Pace | undefined;
  /** The last boundary has come, and all before it was read. */
  #isWhole = false;
  #whenSettled: () => void = () => undefined;

  constructor(req: IncomingMessage, limits: BodyLimits, outcome: Outcome) {
    this.#req = req;
    this.#limits = limits;
    this.#outcome = outcome;
  }

  begin(res: ServerResponse): void {
    const parser = this.#createParser();
    if (parser === undefined) return;
    this.#parser = parser;
    // These listeners stay for good: busboy may emit a second error after it was destroyed, which without one would end the process.
    parser.on('error', (error) => this.#fail(badMultipart(`The multipart body is malformed: ${messageOf(error)}.`)));
    this.#req.on('error', () => this.#whenClientIsGone());
    parser.on('field', (name, text, { valueTruncated }) => this.#guard(() => this.#takeField(name, text, valueTruncated)));
    parser.on('file', (name, file, info) => {
      file.on('error', (error) => this.#whenFileFails(error));
      this.#guard(() => this.#takeFile(name, file, info));
    });
    for (const limit of ['fieldsLimit', 'filesLimit', 'partsLimit'] as const) {
      parser.once(limit, () => this.#fail(badMultipart("There must be nothing but 'operations', 'map' and one file.")));
    }
    parser.once('close', () => this.#whenParsed());
    res.once('close', () => (res.writableFinished ? this.#release() : this.#whenClientIsGone()));
    this.#pace = new Pace(this.#req, {
      limits: this.#limits,
      code: 'BAD_MULTIPART',
      // A reader that is slower than the client holds the body back.
      isHeldBack: () => parser.writableNeedDrain,
      onFailure: (error) => this.#fail(error),
    });
    parser.on('drain', () => this.#pace?.excuse());
    this.#req.pipe(parser);
  }

  #createParser(): busboy.Busboy | undefined {
    try {
      return busboy({
        headers: this.#req.headers,
        defParamCharset: 'utf8',
        highWaterMark: PIECE_BYTES,
        fileHwm: PIECE_BYTES,
        // busboy reports a file or a part that reaches its limit, also when it is the last: so these are one more than allowed.
        limits: { fieldSize: MAX_OPERATION_BYTES, fileSize: this.#limits.maxFileBytes + 1, fields: 2, files: 1, parts: 4 },
      });
    } catch (error) {
      this.#fail(badMultipart(`The multipart body can't be read: ${messageOf(error)}.`));
      return undefined;
    }
  }

  #takeField(name: string, text: string, isTruncated: boolean): void {
    if (isTruncated) throw tooLarge(`'${name}' may have at most ${MAX_OPERATION_BYTES} bytes.`);
    if (name === 'operations' && this.#operations === undefined) {
      this.#operations = readOperations(text);
    } else if (name === 'map' && this.#operations !== undefined && this.#placement === undefined) {
      this.#placement = readMap(text, this.#operations);
    } else {
      throw badMultipart("The fields must be 'operations', 'map' and the file, in this order and each once.");
    }
  }

  #takeFile(name: string, file: Readable, info: busboy.FileInfo): void {
    if (this.#operations === undefined || this.#placement === undefined) {
      throw badMultipart("The file must come after 'operations' and 'map'.");
    }
    if (name !== this.#placement.partName) {
      throw badMultipart("The file's name is not the one in 'map'.");
    }
    file.once('limit', () => this.#fail(tooLarge(`The file may have at most ${this.#limits.maxFileBytes} bytes.`)));
    this.#file = file;
    const upload = new Upload();
    upload.promise = Promise.resolve(this.#lend(name, file, info) as LibraryFileUpload & FileUpload);
    this.#placement.put(upload);
    this.#outcome.resolve(this.#operations);
  }

  #lend(fieldName: string, file: Readable, { filename, encoding, mimeType: mimetype }: busboy.FileInfo): FileUpload {
    let isLent = false;
    return {
      ...{ fieldName, filename: filename ?? '', mimetype, encoding },
      createReadStream: () => {
        if (isLent) throw badMultipart('The file can be read by one field only.');
        isLent = true;
        return this.#pieces(file);
      },
      failure: () => this.#failure,
    };
  }

  async *#pieces(file: Readable): AsyncIterable<Uint8Array> {
    for await (const piece of file as AsyncIterable<Uint8Array>) {
      // Held back, it holds the socket back.
      const nextTurn = turnBudget.take(piece.length);
      if (nextTurn !== undefined) await nextTurn;
      yield piece;
    }
    if (!this.#isWhole && this.#failure === undefined) await new Promise<void>((settle) => (this.#whenSettled = settle));
    if (this.#failure !== undefined) throw this.#failure;
  }

  #whenFileFails(error: Error): void {
    // A reader that leaves early destroys the stream with an AbortError of Node's own: that is its right.
    if (error.name !== 'AbortError') this.#fail(badMultipart(`The body ended before the file did: ${messageOf(error)}.`));
  }

  #whenClientIsGone(): void {
    this.#fail(badMultipart('The connection was closed before the answer.'));
  }

  #whenParsed(): void {
    this.#pace?.stop();
    if (this.#file === undefined) return this.#fail(badMultipart("'operations', 'map' and the file must all be there."));
    this.#isWhole = true;
    this.#whenSettled();
  }

  #guard(step: () => void): void {
    if (this.#failure) return;
    try {
      step();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#outcome.reject(error);
    this.#release(error);
    this.#whenSettled();
  }

  #release(error?: Error): void {
    this.#pace?.stop();
    if (this.#parser) this.#req.unpipe(this.#parser);
    this.#file?.destroy(error);
    // Not at once: we may be inside one of busboy's callbacks, after which it goes on with what it was doing.
    setImmediate(() => this.#parser?.destroy());
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
