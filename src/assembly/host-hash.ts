// Hashing on the host: by its own programs, or by its SFTP server (`check-file`). Each script is constant; what varies comes as
// arguments, which the adapter quotes. Where the host hashes nothing, chunks are read and hashed by this gateway.
import type { ChunkPlan } from '../core/chunks.js';
import { chunkLength, chunkOffset } from '../core/chunks.js';
import type { HashAlgorithm, Hashing, Host, OpenFile } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import { openOurs, withFile } from './files.js';
import type { Hasher } from './probe.js';

interface HashCommand {
  readonly hasher: Hasher;
  readonly path: RemotePath;
  readonly plan: ChunkPlan;
  readonly signal: AbortSignal;
}

const DIGEST = `
digest() { if [ "$1" = openssl ]; then openssl dgst "-$2" -r; else "$2sum"; fi; }`;

/**
 * $1 tool, $2 algorithm, $3 file. Prints "pos <bytes>" about twice a second while it runs (where /proc tells, else 0: a sign of life),
 * then the hash. Everything started here ends with it, so that a channel that is closed leaves no process.
 */
const HASH_WHOLE = `${DIGEST}
digest "$1" "$2" <"$3" & hash=$!
{
  while { sleep 0.5 || sleep 1; } >/dev/null 2>&1; do
    position=$(sed -n 's/^pos:[[:space:]]*//p' "/proc/$hash/fdinfo/0" 2>/dev/null)
    echo "pos \${position:-0}" || { kill "$hash"; exit 1; }
  done
} & report=$!
trap 'kill "$hash" "$report" 2>/dev/null' EXIT
trap 'exit 1' HUP INT PIPE TERM
wait "$hash"`;

type HashWhole = HashCommand & { readonly algorithm: HashAlgorithm };

/** The hash of a whole file, lower-case hex. `HOST_UNSUPPORTED` when it is too large for the host's way of hashing. */
export async function hashWhole(host: Host, command: HashWhole, onProgress: (doneBytes: number) => void): Promise<string> {
  if (command.hasher === 'server') return hashWholeByServer(host, command, onProgress);
  const { hasher, algorithm, path, signal } = command;
  let digest: string | undefined;
  for await (const line of host.run(HASH_WHOLE, [hasher, algorithm, path], { signal })) {
    const position = /^pos (\d+)$/.exec(line)?.[1];
    if (position !== undefined) onProgress(Number(position));
    else digest = /^\\?([0-9a-f]{32,64})\b/.exec(line)?.[1] ?? digest;
  }
  if (digest === undefined) throw new Fault('FAILURE', `${hasher} printed no hash`);
  return digest;
}

/** A whole is hashed in one request, which holds up its session and tells nothing on the way: about ten seconds of that. */
const MAX_WHOLE_BY_SERVER_BYTES = 8 * 1024 ** 3;

/** The chunks are hashed beside the whole: it takes about as long, so that theirs is its progress. */
async function hashWholeByServer(host: Host, command: HashWhole, onProgress: (doneBytes: number) => void): Promise<string> {
  const { algorithm, path, plan, signal } = command;
  if (plan.size > MAX_WHOLE_BY_SERVER_BYTES) throw new Fault('HOST_UNSUPPORTED', 'too large to be hashed in one request');
  return withFile(host.open(path, 'read'), async (file) => {
    const beside = new AbortController();
    const progress = tellProgress(host, { ...command, signal: AbortSignal.any([signal, beside.signal]) }, onProgress);
    try {
      return await file.hash(algorithm, 0, plan.size);
    } finally {
      beside.abort();
      await progress;
    }
  });
}

async function tellProgress(host: Host, command: HashCommand, onProgress: (doneBytes: number) => void): Promise<void> {
  let doneBytes = 0;
  try {
    for await (const chunk of hashChunksByServer(host, command)) {
      doneBytes += chunkLength(command.plan, chunk.index);
      onProgress(doneBytes);
    }
  } catch {
    // Only its pace was wanted; the hash of the whole tells what is wrong.
  }
}

/**
 * $1 tool, $2 file, $3 bytes a chunk, $4 chunks. Prints "<index> <hash>" for each. Offsets are the shell's integers: 64 bits in dash,
 * bash and BusyBox. \`tail -c +N\` seeks in a regular file.
 */
const HASH_CHUNKS = `${DIGEST}
index=1
while [ "$index" -le "$4" ]; do
  hash=$(tail -c "+$(( (index - 1) * $3 + 1 ))" "$2" | head -c "$3" | digest "$1" sha256) || exit 1
  echo "$index \${hash%% *}" || exit 1
  index=$(( index + 1 ))
done`;

interface ChunkHash {
  readonly index: number;
  readonly digest: string;
}

type HashChunks = Omit<HashCommand, 'hasher'> & { readonly hashing: Hashing; readonly hasher: Hasher | 'gateway' };

/** SHA-256 of every chunk, in order. */
export async function* hashChunks(host: Host, command: HashChunks): AsyncIterable<ChunkHash> {
  const { hasher, path, plan, signal } = command;
  if (plan.chunkCount === 0) return;
  if (hasher === 'server' || hasher === 'gateway') {
    yield* hasher === 'server' ? hashChunksByServer(host, command) : hashChunksByReading(host, command);
    return;
  }
  const args = [hasher, path, plan.chunkSize.toString(), plan.chunkCount.toString()];
  let last = 0;
  for await (const line of host.run(HASH_CHUNKS, args, { signal })) {
    const match = /^(\d+) ([0-9a-f]{64})$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    last = Number(match[1]);
    yield { index: last, digest: match[2] };
  }
  if (last !== plan.chunkCount) throw new Fault('FAILURE', `${hasher} hashed ${last} of ${plan.chunkCount} chunks`);
}

/** Requests under way, so that a long link is kept busy. */
const HASHES_AHEAD = 4;

async function* hashChunksByServer(host: Host, { path, plan, signal }: Omit<HashCommand, 'hasher'>): AsyncIterable<ChunkHash> {
  const file = await host.open(path, 'read');
  try {
    const ahead: Promise<string>[] = [];
    for (let index = 1; index <= plan.chunkCount; index++) {
      while (ahead.length < HASHES_AHEAD && index + ahead.length <= plan.chunkCount) {
        ahead.push(askHash(file, plan, index + ahead.length));
      }
      signal.throwIfAborted();
      const digest = await ahead.shift();
      if (digest !== undefined) yield { index, digest };
    }
  } finally {
    await file.close();
  }
}

async function* hashChunksByReading(host: Host, { path, plan, signal, hashing }: HashChunks): AsyncIterable<ChunkHash> {
  const file = await openOurs(host, path, 'read');
  try {
    for (let index = 1; index <= plan.chunkCount; index++) {
      const hash = hashing.start('sha256');
      for await (const piece of file.read(chunkOffset(plan, index), chunkLength(plan, index), signal)) hash.update(piece);
      yield { index, digest: hash.digest() };
    }
  } finally {
    await file.close();
  }
}

function askHash(file: OpenFile, plan: ChunkPlan, index: number): Promise<string> {
  const hash = file.hash('sha256', chunkOffset(plan, index), chunkLength(plan, index));
  hash.catch(() => undefined); // Whoever waits for it is told; one that nobody waits for any more is of no interest.
  return hash;
}
