// What comes to the host is in the books, also when its line was lost; and the host knows for whom it comes.
import { randomBytes } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { ANNA, CHUNK, startServices, useServices } from './support.js';

const { services, upload } = useServices(async () => {
  const sshd = await startSshd();
  const services = await startServices(sshdHostOptions(sshd));
  return { place: { hostId: 'sshd', root: sshd.root }, services, stop: () => sshd.stop() };
});
const TOO_MUCH = 2 ** 50;

const entryOf = (id: string, sizeBytes: number) => ({ person: ANNA.person, id, sizeBytes, isStaged: true, ttlMs: 60_000 });

describe('a line that lapsed', () => {
  it('is asked for again before anything of the upload is made on the host', async () => {
    const film = upload('film.mkv', randomBytes(2 * CHUNK));
    await film.status(services().longshore);
    await services().ledger.leave({ person: ANNA.person, id: film.identity.id });
    await services().ledger.enter(entryOf('other', TOO_MUCH));
    expect(await film.put(services().longshore, 1)).toMatchObject({ kind: 'Refused', code: 'QUOTA_EXCEEDED' });
    expect(await services().longshore.uploads(ANNA, { first: 10 })).toMatchObject({ items: [] });
    await services().ledger.leave({ person: ANNA.person, id: 'other' });
    expect(await film.put(services().longshore, 1)).toMatchObject({ kind: 'ChunkStored' });
  });

  it('is there again with the next chunk', async () => {
    const film = upload('film.mkv', randomBytes(2 * CHUNK));
    await film.status(services().longshore);
    await services().longshore.dirInfo(ANNA, film.file);
    await services().ledger.leave({ person: ANNA.person, id: film.identity.id });
    expect(await film.put(services().longshore, 2)).toMatchObject({ kind: 'ChunkStored' });
    expect(await services().ledger.enter(entryOf(film.identity.id, 1))).toEqual({ kind: 'entered', isNew: false });
  });
});

describe('each call and the merge', () => {
  it('has the host for the person whose upload it is', async () => {
    const use = vi.spyOn(services().hosts, 'use');
    const film = upload('film.mkv', randomBytes(CHUNK));
    await film.status(services().longshore);
    await film.putAll(services().longshore);
    await film.mergeToEnd(services().longshore);
    expect(use.mock.calls.length).toBeGreaterThan(4);
    expect([...new Set(use.mock.calls.map(([, , person]) => person))]).toEqual([ANNA.person]);
  });
});
