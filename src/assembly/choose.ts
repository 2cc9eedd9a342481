// Which strategy a host gets.
import type { HostCapability } from '../core/answers.js';
import type { HostProfile } from '../core/ports.js';
import type { MergeStrategy } from '../core/progress.js';
import type { Manifest } from '../core/staging.js';

interface Found {
  readonly capabilities: readonly HostCapability[];
  readonly renameRefuses: boolean;
}

/** Undefined when the host has no way to publish a file that never overwrites and is never half there. */
export function chooseStrategy(configured: HostProfile['strategy'], found: Found): MergeStrategy | undefined {
  const publishes = found.capabilities.includes('HARD_LINK') || found.renameRefuses;
  if (!publishes) return undefined;
  const inPlace = found.capabilities.includes('RANDOM_WRITE');
  if ((configured === 'auto' || configured === 'in-place') && inPlace) return 'IN_PLACE';
  return configured === 'auto' || configured === 'relay' ? 'RELAY' : undefined;
}

/** How chunks wait on a host, until a strategy makes the file of them. */
export function layoutFor(strategy: MergeStrategy): Manifest['layout'] {
  return strategy === 'IN_PLACE' ? 'in-place' : 'chunk-files';
}
