// Hashing on the host, by its own tools. Each script is constant; what varies comes as arguments, which the adapter quotes.
import type { ChunkPlan } from '../core/chunks.js';
import type { HashAlgorithm, Host } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';
import type { HashTool } from './probe.js';

interface HashCommand {
  readonly tool: HashTool;
  readonly path: RemotePath;
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

/** The hash of a whole file, lower-case hex. */
export async function hashWhole(
  host: Host,
  command: HashCommand & { readonly algorithm: HashAlgorithm },
  onProgress: (doneBytes: number) => void,
): Promise<string> {
  const { tool, algorithm, path, signal } = command;
  let digest: string | undefined;
  for await (const line of host.run(HASH_WHOLE, [tool, algorithm, path], { signal })) {
    const position = /^pos (\d+)$/.exec(line)?.[1];
    if (position !== undefined) onProgress(Number(position));
    else digest = /^\\?([0-9a-f]{32,64})\b/.exec(line)?.[1] ?? digest;
  }
  if (digest === undefined) throw new Fault('FAILURE', `${tool} printed no hash`);
  return digest;
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

/** SHA-256 of every chunk, in order. */
export async function* hashChunks(
  host: Host,
  command: HashCommand & { readonly plan: ChunkPlan },
): AsyncIterable<{ readonly index: number; readonly digest: string }> {
  const { tool, path, plan, signal } = command;
  const args = [tool, path, plan.chunkSize.toString(), plan.chunkCount.toString()];
  let last = 0;
  for await (const line of host.run(HASH_CHUNKS, args, { signal })) {
    const match = /^(\d+) ([0-9a-f]{64})$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    last = Number(match[1]);
    yield { index: last, digest: match[2] };
  }
  if (last !== plan.chunkCount) throw new Fault('FAILURE', `${tool} hashed ${last} of ${plan.chunkCount} chunks`);
}
