// A client as an outsider would write it from the design alone: plain HTTP, the multipart specification, and graphql-ws.
import { createHash } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

export type Answer = Readonly<Record<string, unknown>> & { readonly __typename: string };

export interface FileRef {
  readonly hostId: string;
  readonly fullPath: string;
  readonly hashCode: string;
}

const PROBLEM = `... on Problem { code message retryable
  ... on FileExists { size modifiedAt etag } ... on UploadLocked { holder mine since until }
  ... on ChunksMissing { ranges { first last } missingCount } ... on DigestMismatch { index expected actual } ... on TryAgainLater { retryAfterMs } }`;
const FINISHED = '... on UploadFinished { finishedAt size contentDigest proved }';
export const PROGRESS = `phase doneBytes totalBytes percent bytesPerSecond etaSeconds strategy digest proved problem { __typename code message retryable
  ... on ChunksMissing { ranges { first last } missingCount } } updatedAt`;

const STATUS = `query ($file: FileRef!, $size: ByteCount!, $chunkSize: Int, $ifExists: IfExists! = ASK, $ifMatch: String, $takeOver: Boolean! = false) {
  uploadStatus(file: $file, size: $size, chunkSize: $chunkSize, ifExists: $ifExists, ifMatch: $ifMatch, takeOver: $takeOver) { __typename
  ... on UploadReady { claimedUntil chunkSize chunkCount ticket }
  ... on UploadResumable { claimedUntil chunkSize chunkCount uploadedBytes uploadedCount ticket } ${FINISHED} ${PROBLEM} } }`;
const DIR_INFO = `query ($file: FileRef!, $first: Int! = 1000, $after: Int! = 0) { dirInfo(file: $file) { __typename
  ... on DirInfo { name dir dirHashCode size chunkSize chunkCount uploadedBytes uploadedCount chunkList strategy
    chunks(first: $first, after: $after) { index digest } missing { first last } } ${FINISHED} ${PROBLEM} } }`;
const CHUNK = `mutation ($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {
  uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) { __typename
  ... on ChunkStored { index digest alreadyStored uploadedBytes uploadedCount } ${FINISHED} ${PROBLEM} } }`;
const MERGE = `mutation ($file: FileRef!, $chunkCount: Int!, $digest: String, $ifExists: IfExists! = ASK, $ifMatch: String) {
  mergeFile(file: $file, chunkCount: $chunkCount, digest: $digest, ifExists: $ifExists, ifMatch: $ifMatch) { __typename
  ... on MergeStarted { progress { ${PROGRESS} } } ${PROBLEM} } }`;
const ABORT = `mutation ($file: FileRef!) { abortUpload(file: $file) { __typename ... on UploadAborted { abortedAt } ${FINISHED} ${PROBLEM} } }`;
const UPLOADS = `query ($hostId: ID, $first: Int! = 100, $after: String) { uploads(hostId: $hostId, first: $first, after: $after) { nextAfter
  items { hostId fullPath hashCode size uploadedBytes phase beganAt touchedAt } problems { __typename code message retryable } } }`;
const HOSTS = '{ hosts { id name roots reachable strategy capabilities freeBytes } }';
const WATCH = `subscription ($file: FileRef!) { mergeProgress(file: $file) { ${PROGRESS} } }`;

/** A top-level GraphQL error. */
export class GraphQLFailure extends Error {
  readonly extensions: Readonly<Record<string, unknown>>;
  constructor(error: { readonly message: string; readonly extensions?: Readonly<Record<string, unknown>> }) {
    super(error.message);
    this.extensions = error.extensions ?? {};
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export class OutsideClient {
  readonly #url: () => string;
  readonly #credentials: { readonly 'x-person-id': string } | { readonly authorization: string };

  /** `person`: whom a gateway without authentication believes, or what shows it to one with. */
  constructor(gateway: { readonly url: string }, person: string | { readonly token: string } = 'ann') {
    this.#url = () => `${gateway.url}/graphql`;
    this.#credentials = typeof person === 'string' ? { 'x-person-id': person } : { authorization: `Bearer ${person.token}` };
  }

  status(file: FileRef, size: number, options: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return this.#ask('uploadStatus', STATUS, { file, size, ...options });
  }

  dirInfo(file: FileRef, page: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return this.#ask('dirInfo', DIR_INFO, { file, ...page });
  }

  async chunk(file: FileRef, index: number, bytes: Uint8Array, digest: string | null = sha256(bytes)): Promise<Answer> {
    const form = new FormData();
    form.set('operations', JSON.stringify({ query: CHUNK, variables: { file, index, digest, chunk: null } }));
    form.set('map', JSON.stringify({ 0: ['variables.chunk'] }));
    form.set('0', new Blob([bytes as Uint8Array<ArrayBuffer>]), 'chunk');
    const headers = { 'apollo-require-preflight': '1', ...this.#credentials };
    return field('uploadChunk', await fetch(this.#url(), { method: 'POST', headers, body: form }));
  }

  merge(file: FileRef, chunkCount: number, options: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return this.#ask('mergeFile', MERGE, { file, chunkCount, ...options });
  }

  abort(file: FileRef): Promise<Answer> {
    return this.#ask('abortUpload', ABORT, { file });
  }

  uploads(options: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    return this.#ask('uploads', UPLOADS, options);
  }

  hosts(): Promise<readonly Answer[]> {
    return this.#ask('hosts', HOSTS, {}) as Promise<unknown> as Promise<readonly Answer[]>;
  }

  /** Over graphql-transport-ws, until it ends. */
  async watch(file: FileRef, onState: (state: Answer) => void = () => undefined): Promise<readonly Answer[]> {
    const socket = createClient({
      url: this.#url().replace('http', 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: this.#connectionParams(),
      retryAttempts: 0,
    });
    const states: Answer[] = [];
    try {
      for await (const { data, errors } of socket.iterate<{ mergeProgress: Answer }>({ query: WATCH, variables: { file } })) {
        if (errors?.[0] !== undefined) throw new GraphQLFailure(errors[0]);
        if (data === null || data === undefined) continue;
        states.push(data.mergeProgress);
        onState(data.mergeProgress);
      }
    } finally {
      await socket.dispose();
    }
    return states;
  }

  /** Over server-sent events, until it ends. */
  async watchEvents(file: FileRef): Promise<readonly Answer[]> {
    const headers = { 'content-type': 'application/json', accept: 'text/event-stream', ...this.#credentials };
    const body = JSON.stringify({ query: WATCH, variables: { file } });
    const text = await (await fetch(this.#url(), { method: 'POST', headers, body })).text();
    return [...text.matchAll(/^data: (\{.*\})$/gm)].map((line) => JSON.parse(line[1] ?? '').data.mergeProgress as Answer);
  }

  /** The whole way for content in memory. Resolves with the terminal state. */
  async put(file: FileRef, bytes: Uint8Array, options: PutOptions = {}): Promise<Answer> {
    const { chunkSize = 65_536, merge = {}, status = {} } = options;
    const ready = await this.status(file, bytes.length, { chunkSize, ...status });
    if (ready.__typename !== 'UploadReady' && ready.__typename !== 'UploadResumable') return ready;
    const count = Number(ready['chunkCount']);
    for (let index = 1; index <= count; index++) {
      const stored = await this.chunk(file, index, chunkOf(bytes, Number(ready['chunkSize']), index));
      if (stored.__typename !== 'ChunkStored') return stored;
    }
    const started = await this.merge(file, count, merge);
    if (started.__typename !== 'MergeStarted') return started;
    const last = (await this.watch(file)).at(-1);
    if (last === undefined) throw new Error('the subscription ended without a state');
    return last;
  }

  #connectionParams() {
    if ('authorization' in this.#credentials) return this.#credentials;
    return { personId: this.#credentials['x-person-id'] };
  }

  async #ask(name: string, query: string, variables: Readonly<Record<string, unknown>>): Promise<Answer> {
    const headers = { 'content-type': 'application/json', ...this.#credentials };
    return field(name, await fetch(this.#url(), { method: 'POST', headers, body: JSON.stringify({ query, variables }) }));
  }
}

export interface PutOptions {
  readonly chunkSize?: number;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly merge?: Readonly<Record<string, unknown>>;
}

export function chunkOf(bytes: Uint8Array, chunkSize: number, index: number): Uint8Array {
  return bytes.subarray((index - 1) * chunkSize, index * chunkSize);
}

async function field(name: string, response: Response): Promise<Answer> {
  const { data, errors } = (await response.json()) as { data?: Record<string, Answer>; errors?: { message: string }[] };
  if (errors?.[0] !== undefined) throw new GraphQLFailure(errors[0]);
  const answer = data?.[name];
  if (answer === undefined) throw new Error(`no ${name} in the answer`);
  return answer;
}
