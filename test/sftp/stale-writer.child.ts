// A process that writes to a host until its right to has ended: for a test that stops it in between.
import { createHostRepository, type SshHostOptions } from '../../src/sftp/host-repository.js';
import { joinPath, type RemotePath } from '../../src/core/remote-path.js';
import { KIB } from '../support/bytes.js';
import { keptLog, realClock } from '../support/roles.js';

interface Orders {
  readonly host: SshHostOptions;
  readonly files: readonly string[];
  /** From the first write on. */
  readonly rightMs: number;
}

const { host: options, files, rightMs } = JSON.parse(process.argv[2] ?? '') as Orders;
const repository = createHostRepository({ hosts: [options], clock: realClock, log: keptLog() });
const signal = new AbortController().signal;

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) {
    yield Buffer.alloc(64 * KIB, 1);
    // As the pieces of a request, they come one by one.
    await Promise.resolve();
  }
}

await repository.use(options.profile.id, async (host) => {
  const [root = '/' as RemotePath] = host.profile.roots;
  const opened = await Promise.all(files.map((name) => host.open(joinPath(root, name), 'create')));
  const until = realClock.monotonic() + rightMs;
  const check = (): void => {
    if (realClock.monotonic() > until) throw new Error('the right to write has ended');
  };
  const said = opened.map((file) =>
    file.write(0, endless(), { signal, check }).catch((error: unknown) => (error as Error).message),
  );
  process.send?.('writing');
  process.send?.(await Promise.all(said));
});
await repository.close();
process.disconnect();
