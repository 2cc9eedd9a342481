// A process that is stopped in the middle of its writes and goes on when its right to write has ended.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { KIB, MIB } from '../support/bytes.js';
import { realClock } from '../support/roles.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { useFixture } from './fixture.js';

const CHILD = fileURLToPath(new URL('stale-writer.child.ts', import.meta.url));
const FILES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const RIGHT_MS = 5_000;
const PIECE_BYTES = 64 * KIB;
/** Of pieces like these as many as OpenSSH takes in one. */
const WRITE_BYTES = 3 * PIECE_BYTES;
/** The write that the kernel had no room for, with some requests behind it, and on each of four channels one that SSH's window cut. */
const MOST_LATE_BYTES = WRITE_BYTES + PIECE_BYTES;
const MOST_LATE_WRITES = 5;

const fixture = useFixture();

it('writes hardly anything after it was frozen until its right to write had ended', async () => {
  // The link is slow, so that everything that can be full is: windows, the kernel's buffers, and what is left of ours.
  const proxy = await fixture.proxyTo(fixture.sshd, { bytesPerSecond: 8 * MIB });
  const host = { ...sshdHostOptions(fixture.sshd), port: proxy.port };
  const child = fork(CHILD, [JSON.stringify({ host, files: FILES, rightMs: RIGHT_MS })], { execArgv: ['--import', 'tsx'] });
  const exited = once(child, 'exit');
  fixture.onClose(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await once(child, 'message');
  const began = performance.now();
  await vi.waitFor(() => expect(proxy.receivedBytes()).toBeGreaterThan(12 * MIB), 10_000);
  child.kill('SIGSTOP');
  await quiet();
  await realClock.sleep(Math.max(0, RIGHT_MS + 100 - (performance.now() - began)));
  const [receivedBytes, writtenBytes] = [proxy.receivedBytes(), written()];

  const told = once(child, 'message');
  child.kill('SIGCONT');
  const [said] = (await told) as [unknown];
  expect(said).toEqual(FILES.map(() => 'the right to write has ended'));
  await exited;
  await quiet();
  expect(proxy.receivedBytes() - receivedBytes).toBeLessThan(MOST_LATE_BYTES);
  expect(written() - writtenBytes).toBeLessThanOrEqual(MOST_LATE_WRITES * WRITE_BYTES);
  expect(written()).toBeGreaterThan(8 * MIB);

  function written(): number {
    return FILES.reduce((sum, name) => sum + statSync(join(fixture.sshd.root, name)).size, 0);
  }

  /** When everything that is on its way has come. */
  async function quiet(): Promise<void> {
    for (let before = -1; before !== proxy.receivedBytes(); await realClock.sleep(500)) before = proxy.receivedBytes();
  }
}, 40_000);
