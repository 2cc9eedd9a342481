// How large a run is: without these variables as docs/performance.md has it, with them for a trial.
import { fileURLToPath } from 'node:url';

/** How often each contender has its turn. */
export const ROUNDS = Number(process.env['LONGSHORE_BENCH_ROUNDS'] ?? 5);

/** Of one file. */
export const mibOf = (usual: number): number => Number(process.env['LONGSHORE_BENCH_MIB'] ?? usual);

/** In a directory. */
export const filesOf = (usual: number): number => Number(process.env['LONGSHORE_BENCH_FILES'] ?? usual);

/** Of one merge. */
export const VIEWERS = Number(process.env['LONGSHORE_BENCH_VIEWERS'] ?? 2_000);

/** Names, separated by commas; default all. */
const asked = process.env['LONGSHORE_BENCH_PEERS']?.split(',');
export const isAsked = ({ name }: { readonly name: string }): boolean => asked?.includes(name) ?? true;

/** What makes this run another than docs/performance.md wants: figures of a trial are told as such. */
export const TRIAL: readonly string[] = Object.entries(process.env).flatMap(([name, value]) =>
  name.startsWith('LONGSHORE_BENCH_') && name !== 'LONGSHORE_BENCH_RESULTS' ? [`${name}=${value}`] : [],
);

/** Where figures are written to, and read from for the page. */
export const RESULTS: string = process.env['LONGSHORE_BENCH_RESULTS'] ?? fileURLToPath(new URL('results', import.meta.url));
