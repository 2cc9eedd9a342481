// Hashing on the host by its own programs. Each script is constant; what varies comes as arguments, which the adapter quotes.
import type { Host } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import { nameOf, parentOf } from '../core/remote-path.js';
import type { HashCommand, HashWhole, OnChunkHash } from './hash-command.js';
import { hashingKey, isLong, parseChunkHash } from './hash-command.js';
import { endJobs, followJob, jobName, jobsAmong } from './host-job.js';
import type { HostJob } from './host-job.js';
import type { HashTool } from './probe.js';

/** Only in a shell of its own: it becomes the tool. */
const DIGEST = `
digest() { if [ "$1" = openssl ]; then exec openssl dgst "-$2" -r; else exec "$2sum"; fi; }`;
/** After everything is started: a child that still had this would outlive its end. */
const END_ALL = `
trap 'exit 1' HUP INT PIPE TERM`;

/**
 * $1 tool, $2 algorithm, $3 file. Prints "pos <bytes>" about twice a second while it runs (where /proc tells, else "pos": a sign of life),
 * then the hash. Everything started here ends with it, so that a channel that is closed leaves no process.
 */
const HASH_WHOLE = `${DIGEST}
digest "$1" "$2" <"$3" & hash=$!
{
  while kill -0 "$hash" && { sleep 0.5 || sleep 1; } >/dev/null; do
    echo "pos $(sed -n 's/^pos:[[:space:]]*//p' "/proc/$hash/fdinfo/0" 2>/dev/null)" || { kill "$hash"; exit 1; }
  done
} 2>/dev/null & report=$!
trap 'kill "$hash" "$report" 2>/dev/null' EXIT${END_ALL}
wait "$hash"`;

/** The hash of a whole file, lower-case hex. */
export async function hashWholeByTool(
  host: Host,
  tool: HashTool,
  command: HashWhole,
  onProgress: (doneBytes: number) => void,
): Promise<string> {
  const { algorithm, path, onAlive } = command;
  let digest: string | undefined;
  await runHashing(host, command, { kind: algorithm, script: HASH_WHOLE, args: [tool, algorithm, nameOf(path)] }, (line) => {
    const position = /^pos (\d*)$/.exec(line)?.[1];
    if (position === undefined) digest = /^\\?([0-9a-f]{32,64})\b/.exec(line)?.[1] ?? digest;
    else if (position === '') onAlive?.();
    else onProgress(Number(position));
  });
  if (digest === undefined) throw new Fault('FAILURE', `${tool} printed no hash`);
  return digest;
}

type HashScript = Pick<HostJob, 'kind' | 'script' | 'args'>;

/** In the staging directory: for as long as somebody listens, or as a job, which a later run finds, with what it has told so far. */
async function runHashing(host: Host, command: HashCommand, script: HashScript, onLine: (line: string) => void): Promise<void> {
  const { path, signal } = command;
  const directory = parentOf(path);
  if (!isLong(command)) {
    const here = `cd "$1" || return\nshift\nsh -c "$@"`;
    for await (const line of host.run(here, [directory, script.script, 'sh', ...script.args], { signal })) onLine(line);
    return;
  }
  const job = { ...script, directory, key: await hashingKey(host, command) };
  const before = jobsAmong(await host.list(directory));
  const isStale = (name: string) => name.startsWith(`job.${job.kind}.`) && name !== jobName(job);
  await endJobs(host, directory, before.filter(isStale));
  const outcome = await followJob(host, job, onLine, { may: 'start', after: 'keep', signal });
  if (outcome.kind === 'gone') throw new Fault('HOST_BUSY', 'the hashing on the host ended without a word');
  if (outcome.exitCode === 0) return;
  await endJobs(host, directory, [jobName(job)]);
  throw new Fault('FAILURE', `hashing on the host ended with exit code ${outcome.exitCode}: ${outcome.said}`);
}

/**
 * $1 tool, $2 file, $3 bytes a chunk, $4 chunks, $5 bytes a block, which makes up a chunk (0: none does); what it printed
 * before as a job is in $0.log. Prints "<worker> <index> <hash>" for each chunk, as many at once as the host has processors, at most 4.
 * Offsets are the shell's integers: 64 bits in dash, bash and BusyBox. `tail -c +N` seeks in a regular file, dd does so in blocks.
 */
const HASH_CHUNKS = String.raw`${DIGEST}
tool=$1 file=$2 size=$3 count=$4 block=$5 all=''
bytes() {
  if [ "$block" -eq 0 ]; then tail -c "+$(( ($1 - 1) * size + 1 ))" "$file" | head -c "$size"; return; fi
  dd if="$file" bs="$block" skip="$(( ($1 - 1) * (size / block) ))" count="$(( size / block ))" 2>/dev/null
}
said() { sed -n "$1" "$0.log" 2>/dev/null; }
work() {
  last=$(said "s/^$1 \([0-9]*\) [0-9a-f]\{64\}$/\1/p" | tail -n 1)
  index=$1
  [ -z "$last" ] || index=$(( last + workers ))
  while [ "$index" -le "$count" ]; do
    hash=$(bytes "$index" | digest "$tool" sha256) || exit 1
    echo "$1 $index ${'${hash%% *}'}" || exit 1
    index=$(( index + workers ))
  done
}
workers=$(said 's/^workers \([1-4]\)$/\1/p' | head -n 1)
if [ -z "$workers" ]; then
  workers=$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null || echo 1)
  [ "$workers" -ge 1 ] 2>/dev/null || workers=1
  [ "$workers" -le 4 ] || workers=4
fi
echo
echo "workers $workers"
number=1
while [ "$number" -le "$workers" ]; do
  work "$number" &
  all="$all $!"
  number=$(( number + 1 ))
done
trap 'kill $all 2>/dev/null' EXIT${END_ALL}
for each in $all; do wait "$each" || exit 1; done`;

/** SHA-256 of every chunk, in any order, each once. */
export async function hashChunksByTool(host: Host, tool: HashTool, command: HashCommand, onChunk: OnChunkHash): Promise<void> {
  const { path, plan } = command;
  const numbers = [plan.chunkSize, plan.chunkCount, blockBytes(plan.chunkSize)].map((each) => each.toString());
  const script = { kind: 'chunks', script: HASH_CHUNKS, args: [tool, nameOf(path), ...numbers] } as const;
  const hashed = new Set<number>();
  await runHashing(host, command, script, (line) => {
    const chunk = parseChunkHash(line);
    if (chunk === undefined || chunk.index > plan.chunkCount || hashed.has(chunk.index)) return;
    hashed.add(chunk.index);
    onChunk(chunk);
  });
  if (hashed.size !== plan.chunkCount) throw new Fault('FAILURE', `${tool} hashed ${hashed.size} of ${plan.chunkCount} chunks`);
}

const LARGEST_BLOCK_BYTES = 128 * 1024;
/** With smaller blocks dd is slower than tail and head are. */
const SMALLEST_BLOCK_BYTES = 4 * 1024;

/** The largest power of two that chunks are made up of, within bounds; 0 when it is too small to be worth it. */
function blockBytes(chunkSize: number): number {
  let block = LARGEST_BLOCK_BYTES;
  while (chunkSize % block !== 0) block /= 2;
  return block < SMALLEST_BLOCK_BYTES ? 0 : block;
}
