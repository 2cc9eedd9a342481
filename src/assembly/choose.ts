// Which strategy a host gets.
import type { HostCapability } from '../core/answers.js';
import type { HostProfile } from '../core/ports.js';
import type { MergeStrategy } from '../core/progress.js';
import type { Manifest } from '../core/staging.js';

interface Found {
  readonly capabilities: readonly HostCapability[];
  readonly renameRefuses: boolean;
}

/** Those that join chunk files, the one that costs least first. */
const COPIERS = ['COPY_DATA', 'COMMAND', 'RELAY'] as const;
export type CopierName = (typeof COPIERS)[number];

const NAMES = { 'copy-data': 'COPY_DATA', command: 'COMMAND', relay: 'RELAY' } as const;

/** What is tried to join chunk files, one after the other: what is configured, and after it what costs more. Never empty. */
export function chooseCopiers(
  configured: HostProfile['strategy'],
  capabilities: readonly HostCapability[],
): readonly CopierName[] {
  const from = configured === 'auto' || configured === 'in-place' ? 0 : COPIERS.indexOf(NAMES[configured]);
  return COPIERS.slice(from).filter((copier) => copier === 'RELAY' || capabilities.includes(copier));
}

/** Undefined when the host has no way to publish a file that never overwrites and is never half there. */
export function chooseStrategy(configured: HostProfile['strategy'], found: Found): MergeStrategy | undefined {
  const publishes = found.capabilities.includes('HARD_LINK') || found.renameRefuses;
  if (!publishes) return undefined;
  const inPlace = found.capabilities.includes('RANDOM_WRITE');
  if (configured === 'auto' || configured === 'in-place') {
    if (inPlace) return 'IN_PLACE';
    if (configured === 'in-place') return undefined;
  }
  return chooseCopiers(configured, found.capabilities)[0];
}

/** How chunks wait on a host, until a strategy makes the file of them. */
export function layoutFor(strategy: MergeStrategy): Manifest['layout'] {
  return strategy === 'IN_PLACE' ? 'in-place' : 'chunk-files';
}
