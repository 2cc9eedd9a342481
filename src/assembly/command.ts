// Copier `command`: a job on the host appends chunk file after chunk file, and goes on when the gateway that started it ends.
import { Fault } from '../core/problems.js';
import { nameOf } from '../core/remote-path.js';
import type { Copying } from './copier.js';
import { makeEmpty, removeQuietly } from './files.js';
import { followJob, jobName } from './host-job.js';
import type { HostJob } from './host-job.js';
import { outputNonce } from './manifest.js';

/**
 * $1 output, $2 bytes a chunk, $3 chunk files read by one `cat`. Appends what the output lacks, from its length on. A `cat` that fails goes
 * on with its next file, so what it wrote is cut off again: with `seek`, dd(1) cuts its output there. A new output is not opened to append:
 * then GNU cat can let the kernel copy; nor truncated, since ext4 writes such a file out at once when it is closed.
 */
const JOIN = String.raw`
LC_ALL=C
export LC_ALL
trap 'exit 1' HUP INT PIPE TERM
output=$1 size=$2 most=$3
[ -f "$output" ] || exit 1
length=$(( $(wc -c <"$output") ))
if [ "$length" -eq 0 ]; then exec 3<>"$output"; else exec 3>>"$output"; fi
done=$(( length / size )) skip=$(( length % size ))
ls | sed -n 's/^c\.\([0-9][0-9]*\)\.[0-9]*\.[0-9a-f]*$/\1 &/p' | sort -n | cut -d ' ' -f 2 | tail -n "+$(( done + 1 ))" | {
  if [ "$skip" -gt 0 ] && read -r name; then
    tail -c "+$(( skip + 1 ))" "$name" >&3 || exit 1
    done=$(( done + 1 ))
  fi
  while :; do
    names='' count=0
    while [ "$count" -lt "$most" ] && read -r name; do names="$names $name" count=$(( count + 1 )); done
    [ "$count" -gt 0 ] || exit 0
    if ! cat $names >&3; then
      dd if=/dev/null of="$output" bs="$size" seek="$done" 2>/dev/null
      exit 1
    fi
    done=$(( done + count ))
  done
}`;

/** One `cat` for some files costs less than one for each; what it wrote is lost when one of them can't be read. */
const CAT_BYTES = 128 * 1024 * 1024;
const MAX_CAT_FILES = 64;

/** See `Copier`. The host may lend its shell and yet lack a program, or end what is left running when a session ends. */
export async function joinByCommand(copying: Copying): Promise<void> {
  const { host, output, received, begunBytes, signal } = copying;
  const { plan } = received;
  if (begunBytes === undefined) await makeEmpty(host, output, 'create');
  const outcome = await follow(copying, 'start');
  if (outcome.kind === 'gone') throw new Fault('HOST_BUSY', 'the job that joins the chunks ended without a word');
  signal.throwIfAborted();
  if (outcome.exitCode !== 0) throw new Fault('HOST_UNSUPPORTED', `joining the chunks failed: ${outcome.said}`);
  const size = (await host.lstat(output))?.size;
  if (size === plan.size) return;
  // A chunk file is gone or no longer as long as it was; another copier tells which.
  await removeQuietly(host, output);
  throw new Fault('HOST_UNSUPPORTED', `joining the chunks made ${size} bytes of ${plan.size}`);
}

/** Whether a job of an earlier run has made the whole output, or does so now: waits for it. False when there is none. */
export async function joinedBefore(copying: Copying): Promise<boolean> {
  const { host, output, received, onStrategy } = copying;
  onStrategy?.('COMMAND');
  const outcome = await follow(copying, 'find');
  if (outcome.kind === 'gone') return false;
  return outcome.exitCode === 0 && (await host.lstat(output))?.size === received.plan.size;
}

async function follow(copying: Copying, may: 'start' | 'find') {
  const { host, signal } = copying;
  let look: Promise<void> | undefined;
  const onTick = () => {
    look ??= tellProgress(copying).finally(() => (look = undefined));
  };
  try {
    return await followJob(host, jobOf(copying), () => undefined, { may, after: 'forget', signal, onTick });
  } finally {
    await look;
  }
}

/** The output's length, while the host has other things to tell. */
async function tellProgress({ host, output, received, onProgress }: Copying): Promise<void> {
  try {
    const { size } = received.plan;
    const length = (await host.lstat(output))?.size ?? 0;
    onProgress('ASSEMBLING', Math.min(length, size), size);
  } catch {
    // Whoever follows the job learns what is wrong.
  }
}

/** Of the job that makes this output. */
export function joinJobName(output: string): string {
  return jobName({ kind: 'join', key: outputNonce(output) });
}

function jobOf({ directory, output, received }: Copying): HostJob {
  const { chunkSize } = received.plan;
  const files = Math.max(1, Math.min(MAX_CAT_FILES, Math.floor(CAT_BYTES / chunkSize)));
  const args = [nameOf(output), chunkSize.toString(), files.toString()];
  return { directory, kind: 'join', key: outputNonce(nameOf(output)), script: JOIN, args };
}
