// A chunk's request whose bytes are shared with all others, so that hundreds of them cost the sender nothing, and that can be broken off.
import { Agent, request } from 'node:http';
import type { FileRef } from '../test/support/outside-client.js';

export interface RawChunk {
  readonly file: FileRef;
  readonly index: number;
  readonly bytes: Uint8Array;
}

export interface BegunChunk {
  /** There is no answer yet. */
  isUnderWay(): boolean;
  abort(): void;
}

const QUERY =
  'mutation ($file: FileRef!, $index: Int!, $chunk: Upload!) { uploadChunk(file: $file, index: $index, chunk: $chunk) { __typename } }';
const agent = new Agent({ maxSockets: Infinity });

export function beginChunk(url: string, { file, index, bytes }: RawChunk): BegunChunk {
  const part = (field: string, body: string) => `--b\r\ncontent-disposition: form-data; ${field}\r\n\r\n${body}`;
  const operations = part('name="operations"', JSON.stringify({ query: QUERY, variables: { file, index, chunk: null } }));
  const head = [operations, part('name="map"', '{"0":["variables.chunk"]}'), part('name="0"; filename="c"', '')].join('\r\n');
  const tail = '\r\n--b--\r\n';
  const headers = {
    'content-type': 'multipart/form-data; boundary=b',
    'content-length': head.length + bytes.length + tail.length,
    'apollo-require-preflight': '1',
    // Whom `OutsideClient` speaks for.
    'x-person-id': 'ann',
  };
  let isUnderWay = true;
  const end = () => (isUnderWay = false);
  const sending = request(`${url}/graphql`, { agent, method: 'POST', headers }, (response) => response.resume());
  sending.once('response', end).once('error', end);
  // It is broken off, and that's an error, too.
  sending.on('error', () => undefined);
  sending.write(head);
  sending.write(bytes);
  sending.end(tail);
  return { isUnderWay: () => isUnderWay, abort: () => sending.destroy() };
}
