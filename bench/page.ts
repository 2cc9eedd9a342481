// npm run bench -- page: docs/performance.md and its pictures, of the figures that were measured last. Nothing in them is written by hand
// but the words below.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { amount, barPlot, linePlot, stackPlot } from './plots.js';
import { ROUND_TRIPS_MS } from './file.js';
import { RESULTS } from './settings.js';
import type { Row } from './stage.js';
import { farTable, farVerdicts, kindOf, mib, number, pick, rowOf, table, verdict } from './tables.js';

const DOCS = fileURLToPath(new URL('../docs/', import.meta.url));
interface Result {
  readonly machine: Readonly<Record<string, string | number>>;
  /** Settings that made it another run than it should be. */
  readonly trial: readonly string[];
  readonly rows: readonly Row[];
}

function read(name: string): Result {
  try {
    return JSON.parse(readFileSync(join(RESULTS, `${name}.json`), 'utf8')) as Result;
  } catch (cause) {
    throw new Error(`there are no figures of it yet: npm run bench -- ${name}`, { cause });
  }
}

/** All distances as one. */
function farOf(results: readonly Result[]): Result {
  const [machine] = results.map((result) => result.machine);
  const trial = [...new Set(results.flatMap((result) => result.trial))];
  return { machine: machine ?? {}, trial, rows: results.flatMap(({ rows }) => rows) };
}

type Results = Readonly<Record<'file' | 'far' | 'small' | 'many' | 'cost' | 'memory' | 'viewers', Result>>;

export function makePage(): void {
  const results: Results = {
    ...{ file: read('file'), far: farOf(ROUND_TRIPS_MS.map((ms) => read(`far-${ms}`))) },
    ...{ small: read('small'), many: read('many') },
    ...{ cost: read('cost'), memory: read('memory'), viewers: read('viewers') },
  };
  for (const [name, svg] of Object.entries(plotsOf(results)))
    writeFileSync(join(DOCS, 'images', `performance-${name}.svg`), svg);
  writeFileSync(join(DOCS, 'performance.md'), pageOf(results));
}

function plotsOf({ file, far, small, many, cost }: Results): Readonly<Record<string, string>> {
  const bars = ({ rows }: Result) =>
    rows.map((row) => ({
      label: row.what,
      kind: kindOf(row),
      median: number(row, 'median'),
      slowest: number(row, 'slowest'),
      fastest: number(row, 'fastest'),
    }));
  const better = 'Longer is better; the thin line goes from the slowest run to the fastest.';
  const lines = [...new Set(far.rows.map(({ what }) => what))].map((what) => {
    const rows = far.rows.filter((row) => row.what === what);
    const points = rows.map((row) => ({
      x: number(row, 'roundTripMs'),
      median: number(row, 'median'),
      slowest: number(row, 'slowest'),
      fastest: number(row, 'fastest'),
    }));
    return { label: what, kind: rows[0] === undefined ? ('peer' as const) : kindOf(rows[0]), points };
  });
  const stacks = cost.rows.map((row) => ({
    label: row.what,
    kind: kindOf(row),
    parts: ['gatewaySecondsPerGiB', 'clientSecondsPerGiB', 'hostSecondsPerGiB'].map((key) => number(row, key)),
  }));
  return {
    file: barPlot(
      { title: `One file of ${mib(file.rows)} on loopback`, note: `MB/s until it is whole on the host. ${better}` },
      bars(file),
    ),
    far: linePlot(
      {
        title: 'One file over long lines',
        note: 'MB/s until it is whole on the host. Both scales are logarithmic; higher is better.',
      },
      lines,
      'round trip to the host',
    ),
    small: barPlot(
      {
        title: `${amount(number(small.rows[0], 'files'))} files of 100 KiB`,
        note: `Files per second until all are whole on the host. ${better}`,
      },
      bars(small),
    ),
    many: barPlot(
      {
        title: `${amount(number(many.rows[0], 'files'))} files of ${mib(many.rows)}`,
        note: `MB/s until all are whole on the host. ${better}`,
      },
      bars(many),
    ),
    cost: stackPlot({ title: 'What a GiB costs on loopback', note: 'CPU seconds. Shorter is better.' }, stacks, [
      'gateway',
      'client',
      'host',
    ]),
  };
}

function pageOf(results: Results): string {
  const { file, far, small, many, cost, memory, viewers } = results;
  const { cpu, cores, memoryGiB, kernel, node, sftp, rclone, lftp, commit } = file.machine;
  return `# Performance

Longshore is one hop more than \`sftp\`: the bytes go to the gateway, and from there to the host. This page shows what that costs and what it gains, beside what a user would pick instead. It is
made by \`npm run bench -- page\` from [bench/results](../bench/results), figures that are worse than others' included.

- **Machine**: ${String(cpu)}, ${String(cores)} cores, ${String(memoryGiB)} GiB, Linux ${String(kernel)}, Node ${String(node)}. All of it runs there: client, gateway, SSH server and the long line. Trust the ratios, and measure on your own with
  \`npm run bench\`.
- **Others**: OpenSSH ${String(sftp)} with its default cipher and with AES-GCM, rclone ${String(rclone)} as it comes and tuned (\`--sftp-concurrency 256 --sftp-chunk-size 255k --sftp-disable-hashcheck\`), lftp ${String(lftp)}, tus-js-client in
  one request to @tus/server ${String(file.machine['@tus/server'])} with its file store, on the host itself. \`cp\` and raw TCP are what disk and line take.
- **What is timed**: a command from its start to its end, when the whole content is on the host: for \`longshore put\` hashed on both sides, proved by the host and published. Of the others rclone compares
  digests where it isn't tuned not to; the rest don't. The gateway runs already and has served a small file; the others log in each time.
- **Numbers** are medians, with the slowest and the fastest run beside. The contenders take turns, another one first in each round. Contents are random. \`ratio\` is to the first line of its table.

${trialsOf(results)}${summaryOf(results)}

## One file on loopback

![Bars: the rate of each tool on loopback](images/performance-file.svg)

${table(file.rows)}

${verdict(file.rows, 'longshore put')} ${basis(file)}

## Long lines

The line delays each way by half of the round trip and takes any rate: what is lost is lost by waiting for answers. At 100 and 200 ms those tools that
have one window, and so mostly wait, took their turns three and five at a time. lftp, which has half a MiB under way, was left out from 50 ms on: it would take minutes.

![Lines: the rate of each tool over the round trip](images/performance-far.svg)

${farTable(far.rows)}

${farVerdicts(far.rows)} ${basis(far)}

## Many files

![Bars: files per second](images/performance-small.svg)

${table(small.rows)}

${verdict(small.rows, 'longshore put -r')} Each file is claimed, proved and published for itself: none is ever seen half. ${basis(small)}

![Bars: the rate of many files at once](images/performance-many.svg)

${table(many.rows)}

With four hosts there is a command for each; the four are the same machine, so that this shows what the gateway makes of several, not what several would take. "A person each" are uploaders of the
SDK, one for each file, that all begin at once, in one process. ${verdict(many.rows, 'longshore put -r, 1 host')} ${basis(many)}

## Cost

![Stacked bars: CPU seconds for a GiB](images/performance-cost.svg)

${table(cost.rows)}

\`gatewayToSftp\` is the gateway's CPU time by that of OpenSSH's client with its default cipher; \`clientToSftp\` the same for the command. ${basis(cost)}

## What the limit is

${limitOf(results)}

The gateway's time, by its profiles: about a fifth the kernel, for reading and writing sockets, an eighth SHA-256, a seventh the collection of buffers that the sockets leave behind, then
the search for the multipart boundary, copies, and AES with its padding. What paid was kept: pieces that go on without being joined, several in one WRITE, a long boundary (the search skips more), requests of one
turn in one packet, answers of "OK" without an object each. What didn't was not: other windows, more or fewer collections, more connections on a short way, more requests at once.

A small file is four calls with some 45 round trips and 220 SFTP requests, nearly half of them looks that nothing of it leads elsewhere, a job, and a subscription: about 40 ms of CPU, of gateway, command,
host and Redis together, so that two cores publish some 50 in a second at most. More of them at once gain nothing. \`sftp\` opens, writes and closes.

## Memory, and how late the event loop gets

While the gateway did the above, seen from inside its process. The delay is what a tick of 5 ms took longer than that: medians of the runs for p50 and p99, and the longest of all. Memory is the most
that was resident over what is with nothing to do.

${table(vitalRows(results))}

Under pressure: large chunks, and chunks to a host that takes next to nothing (the sender is fast, so that all of it is up to the gateway). ${basis(memory)}

${table(memory.rows)}

Viewers of one merge, each on a WebSocket. How late a state is counts from when the merge told of it until the viewer has it; what one holds who doesn't read is JavaScript's, after a collection. ${basis(viewers)}

${table(viewers.rows)}

\`npm run bench\` has further ones that compare the gateway with itself: \`pool\`, \`merge\` and \`bombs\`. This page's figures for one file are of commit \`${String(commit)}\`.
`;
}

/** What all cores together could carry, if they did nothing but that. */
function limitOf({ cost }: Results): string {
  const parts = ['clientSecondsPerGiB', 'gatewaySecondsPerGiB', 'hostSecondsPerGiB'];
  const secondsOf = (what: string) =>
    parts.map((key) => number(rowOf(cost.rows, what), key) || 0).reduce((sum, seconds) => sum + seconds, 0);
  const cores = Number(cost.machine['cores']);
  const most = (what: string) => `${amount((cores * 2 ** 30) / 1e6 / secondsOf(what))} MB/s`;
  const [ours, theirs] = ['longshore put', 'sftp put'];
  return `Processors. A GiB by \`longshore put\` takes ${secondsOf(ours).toFixed(1)} CPU seconds of command, gateway and host together, by \`sftp put\` ${secondsOf(theirs).toFixed(1)}. So the ${cores} cores of this machine, on which all of it
runs, carry ${most(ours)} at most through the gateway, and ${most(theirs)} by \`sftp\`, however short or long the way is. Aims beyond that can't be reached here; where client, gateway and host are machines of their own, each has its
part alone.`;
}

/** Nobody is to take a trial's figures for more than they are. */
function trialsOf(results: Results): string {
  const trials = Object.entries(results).filter(([, { trial }]) => trial.length > 0);
  if (trials.length === 0) return '';
  const told = trials.map(([name, { trial }]) => `${name} (${trial.join(', ')})`).join('; ');
  return `**Figures of trial runs, to be measured again: ${told}.**\n\n`;
}

/** What is aimed at, against what was measured. */
function summaryOf({ file, far, small, many, memory, viewers, cost }: Results): string {
  const at = (roundTripMs: number) => far.rows.filter((row) => number(row, 'roundTripMs') === roundTripMs);
  const ratio = (rows: readonly Row[], ours: string, other: string) =>
    number(rowOf(rows, ours), 'median') / number(rowOf(rows, other), 'median');
  const fast = (what: string, [rows, ours, other]: readonly [readonly Row[], string, string], aim: number) => {
    const value = ratio(rows, ours, other);
    return [what, `≥ ${aim} ×`, `${value.toFixed(2)} ×`, value >= aim] as const;
  };
  const under = (what: string, value: number, aim: readonly [number, string]) =>
    [what, `≤ ${aim[0]} ${aim[1]}`, `${amount(value)} ${aim[1]}`, value <= aim[0]] as const;
  const put = 'longshore put';
  const loopDelay = Math.max(...vitalRows({ file, far, small, many }).map((row) => number(row, 'loopDelayP99Ms')));
  const slow = (chunks: number) =>
    number(
      memory.rows.find(({ what }) => what.startsWith(`${chunks} chunks`)),
      'peakSendingOverIdleMiB',
    );
  const lines = [
    ...['sftp put', 'rclone copy', 'tus-js-client to @tus/server'].map((other, index) =>
      fast(`loopback, to \`${other}\``, [file.rows, put, other], index === 0 ? 1 : 1.2),
    ),
    ...[50, 100, 200].flatMap((ms) =>
      ['sftp put', 'rclone copy'].map((other) => fast(`${ms} ms, to \`${other}\``, [at(ms), put, other], ms === 200 ? 6 : 5)),
    ),
    fast('small files, to `sftp put -r`', [small.rows, 'longshore put -r', 'sftp put -r'], 2),
    under('event loop, p99, in the worst of all', loopDelay, [30, 'ms']),
    under('100 chunks to a slow host', slow(100), [80, 'MiB']),
    under('500 chunks to a slow host', slow(500), [300, 'MiB']),
    watched(rowOf(viewers.rows, 'reading')),
    under('a viewer who does not read', number(rowOf(viewers.rows, 'not reading'), 'heldKiBEach'), [64, 'KiB']),
  ];
  const body = lines.map(
    ([what, aim, value, isReached]) => `| ${what} | ${aim} | ${value} | ${isReached ? 'yes' : '**no**'} |`,
  );
  const gateway = number(rowOf(cost.rows, put), 'gatewayToSftp');
  return `| what | aim | measured | reached |\n|---|---|---|---|\n${body.join('\n')}\n| CPU of the gateway, to OpenSSH's client | | ${gateway.toFixed(2)} × | |`;
}

/** Who is told less often than he should be isn't told in time. A merge's first second has less to tell. */
function watched(row: Row | undefined) {
  const [late, often] = [number(row, 'lagP99Ms'), number(row, 'updatesPerSecond')];
  const what = `${amount(number(row, 'viewers'))} viewers, p99 of how late`;
  return [what, '≤ 300 ms, 5 a second', `${amount(late)} ms, ${often} a second`, late <= 300 && often >= 4] as const;
}

function vitalRows(results: Pick<Results, 'file' | 'far' | 'small' | 'many'>): readonly Row[] {
  return Object.entries({ file: results.file, far: results.far, small: results.small, many: results.many }).flatMap(
    ([benchmark, { rows }]) =>
      rows
        .filter((row) => row['loopDelayP99Ms'] !== undefined)
        .map((row) => {
          const way =
            benchmark === 'far'
              ? `, ${number(row, 'roundTripMs')} ms`
              : benchmark === 'small'
                ? ', small files'
                : benchmark === 'many'
                  ? ', large files'
                  : ', loopback';
          return {
            what: `${row.what}${way}`,
            ...pick(row, ['loopDelayP50Ms', 'loopDelayP99Ms', 'loopDelayMaxMs', 'peakOverIdleMiB']),
          };
        }),
  );
}

/** What the figures beside it are of. */
function basis({ rows, machine }: Result): string {
  const runs = Math.max(...rows.map((row) => number(row, 'runs')).filter((value) => !Number.isNaN(value)), 1);
  return `(${runs} run${runs === 1 ? '' : 's'} each, commit \`${String(machine['commit'])}\`.)`;
}
