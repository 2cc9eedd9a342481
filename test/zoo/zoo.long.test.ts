// The whole way of an upload on every kind of server, by every strategy that the server has what it needs for.
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../support/outside-client.js';
import { chunkOf, sha256 } from '../support/outside-client.js';
import type { Prepare } from '../support/zoo-kinds.js';
import { isRoot } from '../support/zoo-kinds.js';
import type { Strategy, ZooServer } from '../support/zoo-servers.js';
import { SERVERS } from '../support/zoo-servers.js';
import * as zoo from '../support/zoo-stage.js';
import type { Stage } from '../support/zoo-stage.js';

const { CHUNK } = zoo;
const MIB = 2 ** 20;
const LIMIT_MS = 120_000;
const COPIERS: readonly Strategy[] = ['copy-data', 'command', 'relay'];
const STRATEGIES: readonly Strategy[] = ['in-place', ...COPIERS];

interface Row {
  readonly server: ZooServer;
  readonly configured: 'auto' | Strategy;
  /** What that comes to. */
  readonly strategy: Strategy;
}

const ROWS: readonly Row[] = SERVERS.flatMap((server) => {
  const { auto, strategies } = server;
  if (auto === undefined) return [];
  return [
    { server, configured: 'auto' as const, strategy: auto },
    ...strategies.map((each) => ({ server, configured: each, strategy: each })),
  ];
});

for (const row of ROWS) {
  const isPossible = isRoot || row.server.needsRoot !== true;
  describe.concurrent(`${row.server.name}, ${row.configured}`, { timeout: LIMIT_MS }, () => {
    const play = (name: string, work: (stage: Stage) => Promise<void>, options: Playing = {}) => {
      const lacking = !isPossible
        ? 'the server needs root'
        : options.needsRoot === true && !isRoot
          ? 'only root may mount'
          : undefined;
      it.skipIf(lacking !== undefined)(lacking === undefined ? name : `${name} (not tried: ${lacking})`, () =>
        zoo.withStage(row.server, { strategy: row.configured, ...options }, work),
      );
    };
    cases(row, play);
  });
}

describe.concurrent.each(SERVERS.filter(({ auto }) => auto !== undefined))('$name', { timeout: LIMIT_MS }, (server) => {
  const isPossible = isRoot || server.needsRoot !== true;

  it.runIf(isPossible).each(STRATEGIES.filter((strategy) => !server.strategies.includes(strategy)))(
    `has not what %s needs, and says what that comes to${isPossible ? '' : ' (not tried: the server needs root)'}`,
    async (strategy) => {
      const next = COPIERS.slice(COPIERS.indexOf(strategy)).find((copier) => server.strategies.includes(copier));
      const instead = strategy === 'in-place' || next === undefined ? null : zoo.merges(next);
      await zoo.withStage(server, { strategy }, async (stage) => {
        expect(await stage.ann.hosts()).toMatchObject([{ reachable: true, strategy: instead }]);
        const last = await zoo.upload(stage, stage.ref('film'), randomBytes(CHUNK + 1));
        expect(last).toMatchObject(instead === null ? { code: 'HOST_UNSUPPORTED' } : { phase: 'DONE', strategy: instead });
        expect(stage.present()).toEqual(instead === null ? [] : ['film']);
      });
    },
  );
});

interface Playing {
  readonly prepare?: Prepare;
  readonly needsRoot?: boolean;
}

type Play = (name: string, work: (stage: Stage) => Promise<void>, options?: Playing) => void;

function cases({ server, strategy }: Row, play: Play): void {
  const wanted = zoo.merges(strategy);

  play('takes a file in chunks, in a directory that is not there yet, and leaves nothing else', async (stage) => {
    const bytes = randomBytes(5 * CHUNK + 7);
    const file = stage.ref('new/directory/film');
    expect(await stage.ann.status(file, bytes.length, { chunkSize: CHUNK })).toMatchObject({ __typename: 'UploadReady' });
    expect(await stage.ann.dirInfo(file)).toMatchObject({ __typename: 'DirInfo', strategy: wanted, uploadedCount: 0 });
    await zoo.sendChunks(stage, file, bytes, { indexes: zoo.upTo(6) });
    const last = await zoo.mergeToEnd(stage, file, 6, { digest: sha256(bytes) });
    expect(last).toMatchObject({ phase: 'DONE', strategy: wanted, proved: server.proved });
    expect(stage.present()).toEqual(['new/directory/film']);
    expect(await zoo.digestOfLocal(stage.local('new/directory/film'))).toBe(sha256(bytes));
    expect(await stage.ann.status(file, bytes.length)).toMatchObject({ __typename: 'UploadFinished', proved: server.proved });
  });

  play('goes on where it stopped when the gateway was started anew', async (stage) => {
    const bytes = randomBytes(4 * CHUNK - 1);
    const file = stage.ref('film');
    await stage.ann.status(file, bytes.length, { chunkSize: CHUNK });
    await zoo.sendChunks(stage, file, bytes, { indexes: [1, 3] });
    await stage.restartGateway();
    const again = await stage.ann.status(file, bytes.length, { chunkSize: CHUNK });
    expect(again).toMatchObject({ __typename: 'UploadResumable', uploadedCount: 2, uploadedBytes: 2 * CHUNK });
    const digests = [1, 3].map((index) => ({ index, digest: sha256(chunkOf(bytes, CHUNK, index)) }));
    expect(await stage.ann.dirInfo(file)).toMatchObject({ chunkList: [1, 3], chunks: digests, strategy: wanted });
    await zoo.sendChunks(stage, file, bytes, { indexes: [2, 4] });
    expect(await zoo.mergeToEnd(stage, file, 4)).toMatchObject({ phase: 'DONE', strategy: wanted });
    expect(await zoo.digestOfLocal(stage.local('film'))).toBe(sha256(bytes));
    expect(stage.present()).toEqual(['film']);
  });

  play('asks before it replaces a file, and replaces it at once or not at all', async (stage) => {
    stage.place('film', 'the old one');
    const bytes = randomBytes(2 * CHUNK);
    const file = stage.ref('film');
    const shown = await stage.ann.status(file, bytes.length, { chunkSize: CHUNK });
    expect(shown).toMatchObject({ __typename: 'FileExists', size: 11 });
    const wish = { ifExists: 'REPLACE', ifMatch: shown['etag'] } as const;
    const status = await stage.ann.status(file, bytes.length, { chunkSize: CHUNK, ...wish });
    const [host] = await stage.ann.hosts();
    if ((host?.['capabilities'] as readonly string[]).includes('POSIX_RENAME')) {
      await zoo.sendChunks(stage, file, bytes, { indexes: [1, 2] });
      expect(await stage.ann.merge(file, 2)).toMatchObject({ __typename: 'FileExists' });
      expect(readFileSync(stage.local('film'), 'utf8')).toBe('the old one');
      expect(await zoo.mergeToEnd(stage, file, 2, wish)).toMatchObject({ phase: 'DONE', strategy: wanted });
      expect(await zoo.digestOfLocal(stage.local('film'))).toBe(sha256(bytes));
    } else {
      expect(status).toMatchObject({ __typename: 'Refused', code: 'HOST_UNSUPPORTED' });
      expect(readFileSync(stage.local('film'), 'utf8')).toBe('the old one');
    }
    expect(stage.present()).toEqual(['film']);
  });

  play('keeps odd names as they are', async (stage) => {
    for (const name of ODD_NAMES) {
      const bytes = randomBytes(100);
      const last = await zoo.upload(stage, stage.ref(name), bytes, { digest: sha256(bytes) });
      expect(last, name).toMatchObject({ phase: 'DONE', strategy: wanted });
      expect(await zoo.digestOfLocal(stage.local(name)), name).toBe(sha256(bytes));
    }
    expect(stage.present()).toEqual([...ODD_NAMES].sort());
    expect(await stage.ann.status(stage.ref('two\nlines'), 1)).toMatchObject({ __typename: 'Refused', code: 'INVALID_PATH' });
  });

  play(
    'keeps what is there when its disk is full, and goes on when there is room',
    async (stage) => {
      const bytes = randomBytes(4 * CHUNK);
      const file = stage.ref('small/film');
      await stage.ann.status(file, bytes.length, { chunkSize: CHUNK });
      await zoo.sendChunks(stage, file, bytes, { indexes: [1] });
      writeFileSync(stage.local('small/filler'), Buffer.alloc(2 ** 20 - 3 * CHUNK));
      const answers = await Promise.all([2, 3, 4].map((index) => stage.ann.chunk(file, index, chunkOf(bytes, CHUNK, index))));
      for (const answer of answers.filter((each) => each.__typename !== 'ChunkStored'))
        expect(answer).toMatchObject(fullDisk(await stage.ann.hosts()));
      expect(answers.map((answer) => answer.__typename)).not.toEqual(['ChunkStored', 'ChunkStored', 'ChunkStored']);
      rmSync(stage.local('small/filler'));
      expect(await stage.ann.dirInfo(file)).toMatchObject({ chunkList: expect.arrayContaining([1]) as unknown });
      await zoo.sendChunks(stage, file, bytes, { indexes: [2, 3, 4] });
      expect(await zoo.mergeToEnd(stage, file, 4)).toMatchObject({ phase: 'DONE', strategy: wanted });
      expect(await zoo.digestOfLocal(stage.local('small/film'))).toBe(sha256(bytes));
      expect(stage.present()).toEqual(['small/film']);
    },
    { prepare: zoo.mountSmallDisk, needsRoot: true },
  );

  play(
    'is refused where the account may not write, before a byte is sent',
    async (stage) => {
      const file = stage.ref('closed/film');
      const refused = { __typename: 'Refused', code: 'PERMISSION_DENIED' };
      expect(await zoo.timely(stage.ann.status(file, 1))).toMatchObject(refused);
      expect(await zoo.timely(stage.ann.status(stage.ref('closed/below/film'), 1))).toMatchObject(refused);
      expect(stage.present()).toEqual(['closed']);
    },
    { prepare: zoo.closeDirectory },
  );

  play('loses no byte when all sessions are killed in the middle of a chunk', async (stage) => {
    const chunkSize = 2 * MIB;
    const bytes = randomBytes(3 * chunkSize - 1);
    const file = stage.ref('film');
    await stage.ann.status(file, bytes.length, { chunkSize });
    await zoo.sendChunks(stage, file, bytes, { indexes: [1], chunkSize });
    const before = stage.usedBytes();
    const answer = await stage.chunkInHalves(file, 2, chunkOf(bytes, chunkSize, 2), async () => {
      await expect.poll(() => stage.usedBytes() - before, { timeout: 10_000 }).toBeGreaterThan(chunkSize / 4);
      await stage.server.killSessions();
    });
    expect(answer).toMatchObject({ __typename: 'TryAgainLater', code: 'HOST_UNREACHABLE' });
    expect(await zoo.patiently(() => stage.ann.dirInfo(file))).toMatchObject({ chunkList: [1] });
    await zoo.sendChunks(stage, file, bytes, { indexes: [2, 3], chunkSize });
    expect(await zoo.mergeToEnd(stage, file, 3)).toMatchObject({ phase: 'DONE', strategy: wanted });
    expect(await zoo.digestOfLocal(stage.local('film'))).toBe(sha256(bytes));
    expect(stage.present()).toEqual(['film']);
  });

  play('publishes the whole file when all sessions are killed again and again while it merges', async (stage) => {
    const chunkSize = 4 * MIB;
    const bytes = randomBytes(8 * chunkSize - 1);
    const file = stage.ref('film');
    await stage.ann.status(file, bytes.length, { chunkSize });
    await zoo.sendChunks(stage, file, bytes, { indexes: zoo.upTo(8), chunkSize });
    let killing = Promise.resolve();
    let ended = 0;
    const before = stage.disconnections();
    const phases = new Set<unknown>();
    const onState = ({ phase }: Answer) => {
      if (phase === 'DONE') ended = stage.disconnections();
      if (phases.has(phase) || phase === 'DONE') return;
      phases.add(phase);
      killing = killing.then(() => stage.server.killSessions());
    };
    const last = await zoo.mergeToEnd(stage, file, 8, { digest: sha256(bytes), onState });
    await killing;
    expect(ended - before, [...phases].join()).toBeGreaterThan(0);
    expect(last).toMatchObject({ phase: 'DONE', strategy: wanted, proved: server.proved });
    expect(await zoo.digestOfLocal(stage.local('film'))).toBe(sha256(bytes));
    // What was on its way out when a session was killed waits for the sweeper.
    expect(stage.present().filter((path) => !/\/[nx]\.[0-9a-f]{16}(\/|$)/.test(path))).toEqual(['film']);
  });
}

const ODD_NAMES = [
  ' spaces at both ends ',
  `"double" and 'single'`,
  '-rf',
  '$(touch x); `id` & | > <',
  'back\\slash\\n',
  'äöü 日本 👩‍👩‍👧 é',
  '*?[a-z]{b,c}~#%25',
];

/** Where the host doesn't tell how full it is there is no reason to be named. */
function fullDisk([host]: readonly Answer[]): Readonly<Record<string, unknown>> {
  const tells = (host?.['capabilities'] as readonly string[]).includes('SPACE');
  return tells ? { code: 'NOT_ENOUGH_SPACE', retryable: true } : { retryable: true };
}
