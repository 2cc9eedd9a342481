// What each of several persons gets of a host that has too much to do.
import { describe, expect, it } from 'vitest';
import type { HostRepository } from '../../src/core/ports.js';
import { joinPath } from '../../src/core/remote-path.js';
import { MIB, randomContent } from '../support/bytes.js';
import { rootOf, signal, useFixture } from './fixture.js';

const CHUNK_BYTES = 4 * MIB;

const fixture = useFixture();

describe('a host that takes less than comes', () => {
  /** Chunk after chunk, so many at once, while `goesOn`. The bytes that arrived. */
  async function write(repository: HostRepository, person: string, atOnce: number, goesOn: () => boolean): Promise<number> {
    let arrived = 0;
    async function* counted(pieces: AsyncIterable<Uint8Array>) {
      for await (const piece of pieces) {
        if (goesOn()) arrived += piece.length;
        yield piece;
      }
    }
    const worker = async (_: unknown, at: number) => {
      while (goesOn()) {
        await repository.use(
          'sshd',
          async (host) => {
            const path = joinPath(rootOf(host), `${person}-${at}`);
            const file = await host.open(path, 'create');
            await file.write(0, counted(randomContent(CHUNK_BYTES).pieces), { signal: signal() });
            await file.close();
            await host.unlink(path);
          },
          person,
        );
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    return arrived;
  }

  it('takes about as much of who sends three chunks at once as of who sends twenty-one', async () => {
    const proxy = await fixture.proxyTo(fixture.sshd, { bytesPerSecond: 16 * MIB });
    const repository = fixture.repositoryOf([{ ...fixture.options, port: proxy.port }]);
    const until = performance.now() + 8_000;
    const goesOn = () => performance.now() < until;
    const [few, many] = await Promise.all([write(repository, 'bob', 3, goesOn), write(repository, 'anna', 21, goesOn)]);
    // By the number of chunks it were an eighth.
    expect(few / (few + many)).toBeGreaterThan(0.3);
    expect(few / (few + many)).toBeLessThan(0.7);
  });
});
