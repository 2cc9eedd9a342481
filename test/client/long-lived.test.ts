// What takes longer than its token lives: an upload goes on with its ticket, a subscription with the next token.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import WebSocket from 'ws';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Uploader, type TokenSource } from '../../src/client/index.js';
import type { MergeProgress as CoreProgress } from '../../src/core/progress.js';
import { inSeconds, jwtAuthentication, token } from '../attacks/identity.js';
import { JWT_MODE, tokenOf } from '../attacks/support.js';
import { FILE, longshoreWith, serve } from '../http/support.js';
import { startTestGateway } from '../support/gateway.js';
import { bytes, MemorySource } from './sources.js';
import type { Call, StubGateway } from './stub-gateway.js';
import { CHUNK, UploadRig } from './upload-rig.js';

const MIB = 1_048_576;
const UNAUTHENTICATED = { errors: [{ message: 'who?', extensions: { code: 'UNAUTHENTICATED' } }] };

describe('an upload', () => {
  let rig: UploadRig;
  let gateway: StubGateway;
  beforeEach(async () => {
    rig = await UploadRig.open();
    ({ gateway } = rig);
  });
  afterEach(() => rig.close());

  /** An upload that was begun, so that it is looked at before anything is sent. */
  const ready = (ticket: string | null) => (call: Call) =>
    call.operation === 'UploadStatus'
      ? {
          ...{ __typename: 'UploadResumable', claimedUntil: '', ticket },
          ...{ chunkSize: CHUNK, chunkCount: 4, uploadedBytes: 0, uploadedCount: 0 },
        }
      : undefined;
  const sentWith = (operation: string) => [...new Set(gateway.of(operation).map(({ headers }) => headers.authorization))];
  const source = () => new MemorySource(bytes(CHUNK * 4));

  /** Every token is another one, and is counted. */
  function tokens(): { readonly source: TokenSource; asked(): number } {
    let asked = 0;
    return { source: () => `token-${(asked += 1)}`, asked: () => asked };
  }

  it('sends its ticket with chunks and dirInfo, and a live token with all else', async () => {
    const { source: tokenSource, asked } = tokens();
    gateway.size = CHUNK * 4;
    gateway.interfere = (call) => ready('the-ticket')(call);
    await rig.upload(source(), {}, { token: tokenSource }).done;
    expect([sentWith('UploadStatus'), sentWith('DirInfo'), sentWith('UploadChunk')]).toEqual([
      ['Bearer token-1'],
      ['Bearer the-ticket'],
      ['Bearer the-ticket'],
    ]);
    expect([sentWith('MergeFile'), sentWith('MergeProgress')]).toEqual([['Bearer token-2'], ['Bearer token-3']]);
    expect(asked()).toBe(3);
  });

  it('falls back to tokens when its ticket is refused, without asking for another because of that', async () => {
    const refusals: (string | undefined)[] = [];
    const tokenSource: TokenSource = ({ refused }) => {
      if (refused !== undefined) refusals.push(refused);
      return 'good';
    };
    gateway.size = CHUNK * 4;
    gateway.interfere = (call, response) => {
      if (call.headers.authorization === 'Bearer good') return ready('old-ticket')(call);
      response.statusCode = 401;
      return UNAUTHENTICATED;
    };
    await rig.upload(source(), {}, { token: tokenSource, parallel: 1 }).done;
    expect([sentWith('DirInfo'), sentWith('UploadChunk')]).toEqual([['Bearer old-ticket', 'Bearer good'], ['Bearer good']]);
    expect(refusals).toEqual([]);
  });

  it('sends tokens with everything where there are no tickets', async () => {
    gateway.size = CHUNK * 4;
    gateway.interfere = ready(null);
    await rig.upload(source(), {}, { token: 'only' }).done;
    expect([sentWith('DirInfo'), sentWith('UploadChunk')]).toEqual([['Bearer only'], ['Bearer only']]);
  });
});

it('an upload of six seconds ends well with tokens of two: the person is asked for two, not one for each chunk', async () => {
  const gateway = await startTestGateway({ config: [JWT_MODE.replace(' } }', ', clockTolerance: 0s } }')] });
  onTestFinished(() => gateway.stop());
  const asked: (string | undefined)[] = [];
  let current = '';
  // As a page would: the one it has, until that is refused.
  const tokenSource: TokenSource = async ({ refused }) => {
    asked.push(refused);
    if (current === '' || refused !== undefined) current = await tokenOf('ann', { expires: inSeconds(2) });
    return current;
  };
  const content = randomBytes(6 * MIB);
  const uploader = new Uploader({
    ...{ endpoint: `${gateway.url}/graphql`, token: tokenSource, webSocket: WebSocket },
    ...{ maxBytesPerSecond: MIB, parallel: 2 },
  });
  const began = Date.now();
  const upload = uploader.upload(new MemorySource(content), { host: 'local', path: '/film.mov', chunkSize: 64 * 1_024 });
  const { digest } = await upload.done;
  expect(Date.now() - began).toBeGreaterThan(4_000);
  expect(readFileSync(join(gateway.hosts.embedded.directory, 'film.mov')).equals(content)).toBe(true);
  expect(digest).toMatch(/^sha256:/);
  // Far fewer than the 96 chunks: for uploadStatus, mergeFile twice, and the connection.
  expect(asked.length).toBeLessThan(8);
  expect(asked.filter((refused) => refused !== undefined)).toHaveLength(1);
});

describe.each([
  ['a WebSocket', WebSocket],
  ['server-sent events', undefined],
])('watching over %s', (_what, webSocket) => {
  it('goes on with a fresh token when the first ends, and never jumps back', async () => {
    // A merge of which a tenth is done each half second, and whoever comes sees how far it is.
    const began = Date.now();
    const percent = () => Math.min(100, Math.floor((Date.now() - began) / 50));
    const longshore = longshoreWith({
      async *mergeProgress() {
        for (;;) {
          const state: CoreProgress = {
            ...{ phase: percent() < 100 ? 'VERIFYING' : 'DONE', doneBytes: 0, totalBytes: 0, proved: true, updatedAt: 0 },
            percent: percent(),
          };
          yield state;
          if (state.phase === 'DONE') return;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      },
    });
    const server = await serve(longshore, { authenticate: jwtAuthentication({ clockToleranceMs: 0 }) });
    let made = 0;
    const uploader = new Uploader({
      endpoint: `${server.url}/graphql`,
      token: async () => {
        made += 1;
        return await token({ exp: inSeconds(2) });
      },
      webSocket,
    });
    const seen: { readonly percent: number; readonly at: number }[] = [];
    const file = { host: FILE.hostId, path: FILE.fullPath, ...FILE };
    const last = await uploader.watch(file, {
      onProgress: ({ percent: now }) => void seen.push({ percent: now, at: Date.now() }),
    });
    expect(last.phase).toBe('DONE');
    expect(made).toBeGreaterThanOrEqual(3);
    expect(seen.map((each) => each.percent)).toEqual(seen.map((each) => each.percent).toSorted((a, b) => a - b));
    const gaps = seen.slice(1).map(({ at }, index) => at - (seen[index]?.at ?? at));
    // Over a WebSocket at once; a stream begins anew after a pause.
    expect(Math.max(...gaps)).toBeLessThan(webSocket === undefined ? 2_500 : 700);
  });
});
