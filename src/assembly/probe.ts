// How a host really behaves, found by trying: what a server offers and what its file system does are two things.
import type { HostCapability } from '../core/answers.js';
import type { Clock, Hashing, Host, OpenFile } from '../core/ports.js';
import { isFault } from '../core/problems.js';
import { joinPath } from '../core/remote-path.js';
import type { RemotePath } from '../core/remote-path.js';
import type { HostPowers } from '../core/staging.js';
import { settled } from '../core/settled.js';
import { chooseCopiers, chooseStrategy } from './choose.js';
import type { CopierName } from './choose.js';
import { freshNonce, makeEmpty, removeQuietly, single, withFile } from './files.js';
import { readAll } from './received.js';

/** Programs that hash a file, the fastest first: OpenSSL makes about five times the rate of coreutils' sha256sum. */
const HASH_TOOLS = ['openssl', 'sha256sum'] as const;
export type HashTool = (typeof HASH_TOOLS)[number];

/** A program by its name, or the SFTP server itself. */
export type Hasher = HashTool | 'server';

export interface ProbedPowers extends HostPowers {
  /** SSH_FXP_RENAME doesn't replace a file that is there. */
  readonly renameRefuses: boolean;
  /** What joins chunk files, in the order in which it is tried. */
  readonly copiers: readonly CopierName[];
  /** What hashes files on the host; undefined where nothing does, or where commands see other files than SFTP does. */
  readonly hasher?: Hasher;
  /** The host's clock less ours, ms; SFTP tells whole seconds. */
  readonly clockOffsetMs: number;
}

interface Probing {
  readonly host: Host;
  readonly hashing: Hashing;
  readonly clock: Clock;
  /** Where probe files may be made and are removed again. */
  readonly directory: RemotePath;
}

export async function probePowers(probing: Probing): Promise<ProbedPowers> {
  const { host, hashing, clock, directory } = probing;
  const name = `probe.${freshNonce(hashing)}`;
  const [first, second, third] = ['a', 'b', 'c'].map((part) => joinPath(directory, `${name}.${part}`));
  if (first === undefined || second === undefined || third === undefined) throw new Error('three names were made');
  try {
    await settled([first, second].map((path) => makeEmpty(host, path, 'create-private')));
    const clockOffsetMs = ((await host.lstat(first))?.modifiedAt ?? clock.now()) + HALF_SECOND_MS - clock.now();
    const [tools, randomWrite] = await settled([findHashTools(host, first), tryRandomWrites(host, first)]);
    const hasher = tools?.[0] ?? ((await tryServerHash(probing, first)) ? 'server' : undefined);
    const hardLink = host.offers.hardLink && (await tryLink(host, first, third));
    const posixRename = host.offers.posixRename && (await succeeds(host.replace(hardLink ? third : first, second)));
    const space = await host.space(directory);
    const renameRefuses = await tryRename(host, first, second);
    const capabilities = has({
      RANDOM_WRITE: randomWrite,
      COPY_DATA: host.offers.copyData,
      COMMAND: tools !== undefined,
      HARD_LINK: hardLink,
      POSIX_RENAME: posixRename,
      FSYNC: host.offers.fsync,
      SPACE: space !== undefined,
      HASH_COMMAND: hasher !== undefined,
    });
    const strategy = chooseStrategy(host.profile.strategy, { capabilities, renameRefuses });
    const copiers = chooseCopiers(host.profile.strategy, capabilities);
    return { capabilities, copiers, renameRefuses, clockOffsetMs, ...(strategy && { strategy }), ...(hasher && { hasher }) };
  } finally {
    await settled([first, second, third].map((path) => removeQuietly(host, path)));
  }
}

/** A modification time is cut to the second: on average it is half a second later. */
const HALF_SECOND_MS = 500;

function has(powers: Readonly<Record<HostCapability, boolean>>): readonly HostCapability[] {
  return (Object.keys(powers) as HostCapability[]).filter((capability) => powers[capability]);
}

const RANGE_BYTES = 1_000;
/** Servers that keep offsets in 32 bits show themselves here. The file is sparse. */
const BEYOND_32_BITS = 2 ** 32 + 12_345;

/** Two handles write interleaved ranges, one beyond 4 GiB; a third reads them back. */
async function tryRandomWrites(host: Host, path: RemotePath): Promise<boolean> {
  const ranges = [BEYOND_32_BITS, 2 * RANGE_BYTES, 0, RANGE_BYTES].map((offset, at) => ({
    offset,
    bytes: new Uint8Array(RANGE_BYTES).fill(at + 1),
  }));
  const write = async (file: OpenFile, range: (typeof ranges)[number]) =>
    file.write(range.offset, single(range.bytes), { signal: new AbortController().signal });
  try {
    await withFile(host.open(path, 'write'), (one) =>
      withFile(host.open(path, 'write'), async (other) => {
        for (const [at, range] of ranges.entries()) await write(at % 2 === 0 ? one : other, range);
      }),
    );
    const found = await withFile(host.open(path, 'read'), (file) =>
      settled(ranges.map((range) => readAll(file, range.offset, RANGE_BYTES))),
    );
    return found.every((bytes, at) => bytes.length === RANGE_BYTES && bytes.every((byte) => byte === at + 1));
  } catch (error) {
    return refuses(error);
  }
}

/** Right for a range that is no whole block of anything: some servers hash beyond its end. The file is as `tryRandomWrites` left it. */
async function tryServerHash({ host, hashing }: Probing, path: RemotePath): Promise<boolean> {
  if (!host.offers.checkFile) return false;
  try {
    return await withFile(host.open(path, 'read'), async (file) => {
      const range = await readAll(file, RANGE_BYTES / 2, RANGE_BYTES);
      return (await file.hash('sha256', RANGE_BYTES / 2, RANGE_BYTES)) === hashing.sha256(range);
    });
  } catch (error) {
    return refuses(error);
  }
}

async function tryLink(host: Host, existing: RemotePath, to: RemotePath): Promise<boolean> {
  return (await succeeds(host.link(existing, to))) && !(await succeeds(host.link(existing, to)));
}

/** Whether renaming onto a file that is there is refused. */
async function tryRename(host: Host, from: RemotePath, to: RemotePath): Promise<boolean> {
  await settled(
    [from, to].map(async (path) => {
      if ((await host.lstat(path)) === undefined) await makeEmpty(host, path, 'create-private');
    }),
  );
  return !(await succeeds(host.rename(from, to)));
}

async function succeeds(operation: Promise<void>): Promise<boolean> {
  try {
    await operation;
    return true;
  } catch (error) {
    return refuses(error);
  }
}

/** False for a host that said no; a host that is gone says nothing about its powers. */
function refuses(error: unknown): false {
  if (isFault(error, 'HOST_UNREACHABLE', 'HOST_BUSY') || !isFault(error)) throw error;
  return false;
}

/** Lines carry a mark of ours, since login scripts may print what they like. */
const FIND_TOOLS = `
[ -f "$1" ] || exit 0
echo longshore-sees-the-file
shift
for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 && echo "longshore-tool $tool"; done
exit 0`;

/** Undefined when no command can be run, or when commands see other files than SFTP does. */
async function findHashTools(host: Host, file: RemotePath): Promise<readonly HashTool[] | undefined> {
  const lines: string[] = [];
  try {
    for await (const line of host.run(FIND_TOOLS, [file, ...HASH_TOOLS])) lines.push(line);
  } catch (error) {
    refuses(error);
    return undefined;
  }
  if (!lines.includes('longshore-sees-the-file')) return undefined;
  return HASH_TOOLS.filter((tool) => lines.includes(`longshore-tool ${tool}`));
}
