// Long work on the host that outlives whoever asked for it: a script in a session of its own, known by its name in the staging
// directory. Who asks for the same job again, from whichever gateway, finds the one that runs, or what it left; only one that died
// without a word is started anew, and may go on from what its log says.
//
//   job.<kind>.<key>.<n>     the nth process of this job: its id
//   job.<kind>.<key>.log     what it has printed
//   job.<kind>.<key>.exit    how it ended
import type { DirectoryEntry, Hashing, Host } from '../core/ports.js';
import { Fault } from '../core/problems.js';
import type { RemotePath } from '../core/remote-path.js';

export type JobKind = 'join' | 'sha256' | 'md5' | 'chunks';

export interface HostJob {
  /** Where its files lie; a private directory of ours. What it does, it does there. */
  readonly directory: RemotePath;
  readonly kind: JobKind;
  /** 16 hex characters that stand for all it works on: another content, another key. */
  readonly key: string;
  /**
   * Constant POSIX `sh`; its own name is `$0`, so that `$0.log` holds what it printed before. It prints whole lines, and ends what it
   * has started when it is told to (TERM).
   */
  readonly script: string;
  readonly args: readonly string[];
}

const KEY_LENGTH = 16;
const JOB_FILE = /^(job\.(?:join|sha256|md5|chunks)\.[0-9a-f]{16})\.(?:\d{1,6}|log|exit|exit\.new)$/;

export function isJobFile(name: string): boolean {
  return JOB_FILE.test(name);
}

/** Of what a job works on: the same only for the same values. */
export function jobKey(hashing: Hashing, values: readonly (string | number)[]): string {
  return hashing.sha256(JSON.stringify(values)).slice(0, KEY_LENGTH);
}

export function jobName({ kind, key }: Pick<HostJob, 'kind' | 'key'>): string {
  return `job.${kind}.${key}`;
}

/** Names of the jobs that have left anything. */
export function jobsAmong(entries: readonly DirectoryEntry[]): readonly string[] {
  const names = entries.map(({ name }) => JOB_FILE.exec(name)?.[1]).filter((job) => job !== undefined);
  return [...new Set(names)];
}

/**
 * Whether the process that the file $1 names is the job $2: after a restart of the host another may have its id. Where neither /proc nor ps
 * tells, it is believed. A file without an id yet is about to get one.
 */
const IS_RUNNING = String.raw`
naps=0
nap() { naps=$(( naps + 1 )); if [ "$naps" -gt 100 ]; then sleep 0.2; else sleep 0.03; fi 2>/dev/null || sleep 1; }
is_running() {
  [ -e "$1" ] || return 1
  tries=0
  while [ ! -s "$1" ] && [ "$tries" -lt 20 ]; do tries=$(( tries + 1 )); nap; done
  read -r pid <"$1" && kill -0 "$pid" 2>/dev/null || return 1
  if [ -r "/proc/$pid/cmdline" ]; then tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "$2"; return; fi
  case $(ps -o args= -p "$pid" 2>/dev/null) in *"$2"* | '') return 0 ;; esac
  return 1
}
`;

/**
 * The job's own process. Of several that were started at once, the one that makes the file with its number stays; it ends when that is no
 * longer where it was, since the upload was given up. $0 job, $1 directory, $2 number, $3 script, then its arguments.
 */
const PROCESS = String.raw`
claim=$1/$0.$2 script=$3
(set -C && echo "$$" >"$claim") 2>/dev/null || exit 0
shift 3
sh -c "$script" "$0" "$@" &
work=$!
{ while sleep 1 && kill -0 "$work"; do [ -e "$claim" ] || kill "$work"; done; } >/dev/null 2>&1 &
watch=$!
trap 'kill "$work" 2>/dev/null' HUP INT TERM
wait "$work"
code=$?
while kill -0 "$work" 2>/dev/null; do wait "$work"; code=$?; done
kill "$watch" 2>/dev/null
[ -e "$claim" ] && echo "$code" >"$0.exit.new" && mv "$0.exit.new" "$0.exit"`;

/**
 * Starts the job, or finds it, and prints its log from the beginning as it grows; after that ":exit <code>", or ":gone" when there is
 * none, and in between ":tick", the sign of life. Detached by setsid(1) where the host has it; else by a process group of its own.
 * $1 directory, $2 job, $3 "start" or "find", $4 "forget" or "keep" it after its end, $5 process, $6 script, then its arguments.
 */
const FOLLOW = String.raw`${IS_RUNNING}
cd "$1" || return
directory=$1 job=$2 may=$3 after=$4 process=$5
shift 5
number=0
while [ -e "$job.$(( number + 1 ))" ]; do number=$(( number + 1 )); done
if [ ! -e "$job.exit" ] && ! is_running "$job.$number" "$job" && [ ! -e "$job.exit" ]; then
  if [ "$may" != start ]; then echo :gone; return 0; fi
  number=$(( number + 1 ))
  if command -v setsid >/dev/null 2>&1; then
    setsid sh -c "$process" "$job" "$directory" "$number" "$@" </dev/null >>"$job.log" 2>&1 &
  else
    set -m 2>/dev/null
    nohup sh -c "$process" "$job" "$directory" "$number" "$@" </dev/null >>"$job.log" 2>&1 &
  fi
  tries=0
  while [ ! -e "$job.$number" ] && [ "$tries" -lt 50 ]; do tries=$(( tries + 1 )); nap; done
fi
seen=0
while :; do
  state=over
  [ -e "$job.exit" ] || { state=running; is_running "$job.$number" "$job" || state=gone; }
  [ "$state" = gone ] && [ -e "$job.exit" ] && state=over
  size=$(( $(wc -c <"$job.log") ))
  if [ "$size" -gt "$seen" ]; then
    tail -c "+$(( seen + 1 ))" "$job.log" | head -c "$(( size - seen ))" || return
    seen=$size
  fi
  case $state in
    over)
      echo
      echo ":exit $(cat "$job.exit")"
      [ "$after" = forget ] && rm -f "$job.$number" "$job.log" "$job.exit"
      return 0
      ;;
    gone) echo; echo :gone; return 0 ;;
  esac
  echo :tick || return
  nap
done`;

export interface FollowOptions {
  /** find: only a job that runs or has ended. */
  readonly may: 'start' | 'find';
  /** What becomes of the files of a job that has ended: kept, its end is found again by whoever asks for the job. */
  readonly after: 'keep' | 'forget';
  readonly signal: AbortSignal;
  /** Some times a second while it runs. */
  readonly onTick?: () => void;
}

export type JobOutcome =
  | { readonly kind: 'ended'; readonly exitCode: number; readonly said: string }
  /** Its process died without a word, or there is no such job. */
  | { readonly kind: 'gone' };

/**
 * Starts or finds the job and tells each line it prints, also those from before, until it has ended. An aborted `signal` ends the
 * listening, not the job: see `endJobs`. `HOST_UNSUPPORTED` and `FAILURE` as with `Host.run`.
 */
export async function followJob(
  host: Host,
  job: HostJob,
  onLine: (line: string) => void,
  options: FollowOptions,
): Promise<JobOutcome> {
  const { directory, script, args } = job;
  const { may, after, signal, onTick } = options;
  let said = '';
  let outcome: JobOutcome | undefined;
  const lines = host.run(FOLLOW, [directory, jobName(job), may, after, PROCESS, script, ...args], {
    signal,
    whenLeft: 'close',
  });
  for await (const line of lines) {
    if (line === ':tick') onTick?.();
    else if (line === ':gone') outcome = { kind: 'gone' };
    else if (line.startsWith(':exit ')) outcome = { kind: 'ended', exitCode: Number(line.slice(':exit '.length)), said };
    else if (line !== '') {
      said = line;
      onLine(line);
    }
  }
  if (outcome === undefined) throw new Fault('FAILURE', 'the job on the host was no longer to be followed');
  return outcome;
}

/** Ends them with all they have started, waits a moment for that, and removes what they left. $1 directory, then the jobs. */
const END = String.raw`${IS_RUNNING}
cd "$1" || return 0
shift
for job in "$@"; do
  number=1
  while [ -e "$job.$number" ]; do
    for signal in TERM KILL; do
      is_running "$job.$number" "$job" || break
      kill "-$signal" "-$pid" 2>/dev/null || kill "-$signal" "$pid" 2>/dev/null
      waits=0
      while is_running "$job.$number" "$job" && [ "$waits" -lt 20 ]; do waits=$(( waits + 1 )); sleep 0.1 2>/dev/null || sleep 1; done
    done
    rm -f "$job.$number"
    number=$(( number + 1 ))
  done
  rm -f "$job.log" "$job.exit" "$job.exit.new"
done`;

/** Ends these jobs and removes what they left. `HOST_UNSUPPORTED` where no command can be run any more. */
export async function endJobs(host: Host, directory: RemotePath, jobs: readonly string[]): Promise<void> {
  if (jobs.length === 0) return;
  for await (const _ of host.run(END, [directory, ...jobs])) continue; // It prints nothing.
}
