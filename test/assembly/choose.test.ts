import { expect, it } from 'vitest';
import { chooseStrategy } from '../../src/assembly/choose.js';
import type { HostCapability } from '../../src/core/answers.js';
import type { HostProfile } from '../../src/core/ports.js';

const found = (capabilities: readonly HostCapability[], renameRefuses = false) => ({ capabilities, renameRefuses });

it.each<[string, HostProfile['strategy'], ReturnType<typeof found>, string | undefined]>([
  ['a host that can everything', 'auto', found(['RANDOM_WRITE', 'HARD_LINK', 'POSIX_RENAME'], true), 'IN_PLACE'],
  ['in-place where it is configured', 'in-place', found(['RANDOM_WRITE', 'HARD_LINK']), 'IN_PLACE'],
  ['a rename that refuses in place of links', 'auto', found(['RANDOM_WRITE'], true), 'IN_PLACE'],
  ['no way to name a file without overwriting', 'auto', found(['RANDOM_WRITE', 'POSIX_RENAME']), undefined],
  ['no way to write anywhere', 'auto', found(['HARD_LINK', 'POSIX_RENAME'], true), undefined],
  ['a strategy this version does not have', 'relay', found(['RANDOM_WRITE', 'HARD_LINK'], true), undefined],
  ['a host that can nothing', 'auto', found([]), undefined],
])('%s (%s)', (_, configured, powers, strategy) => {
  expect(chooseStrategy(configured, powers)).toBe(strategy);
});
