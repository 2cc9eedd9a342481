import { expect, it } from 'vitest';
import { chooseCopiers, chooseStrategy } from '../../src/assembly/choose.js';
import type { HostCapability } from '../../src/core/answers.js';
import type { HostProfile } from '../../src/core/ports.js';

const found = (capabilities: readonly HostCapability[], renameRefuses = false) => ({ capabilities, renameRefuses });

it.each<[string, HostProfile['strategy'], ReturnType<typeof found>, string | undefined]>([
  ['a host that can everything', 'auto', found(['RANDOM_WRITE', 'HARD_LINK', 'POSIX_RENAME'], true), 'IN_PLACE'],
  ['in-place where it is configured', 'in-place', found(['RANDOM_WRITE', 'HARD_LINK']), 'IN_PLACE'],
  ['a rename that refuses in place of links', 'auto', found(['RANDOM_WRITE'], true), 'IN_PLACE'],
  ['no way to name a file without overwriting', 'auto', found(['RANDOM_WRITE', 'POSIX_RENAME']), undefined],
  ['no way to write anywhere but at the end', 'auto', found(['HARD_LINK', 'POSIX_RENAME'], true), 'RELAY'],
  ['no way to write anywhere where in-place is configured', 'in-place', found(['HARD_LINK'], true), undefined],
  ['relay where it is configured', 'relay', found(['RANDOM_WRITE', 'HARD_LINK'], true), 'RELAY'],
  ['relay, and no way to name a file without overwriting', 'relay', found(['RANDOM_WRITE', 'POSIX_RENAME']), undefined],
  ['copy-data where it is configured', 'copy-data', found(['RANDOM_WRITE', 'HARD_LINK', 'COPY_DATA'], true), 'COPY_DATA'],
  ['command where it is configured', 'command', found(['RANDOM_WRITE', 'HARD_LINK', 'COPY_DATA', 'COMMAND'], true), 'COMMAND'],
  ['copy-data on a host that only runs commands', 'copy-data', found(['HARD_LINK', 'COMMAND']), 'COMMAND'],
  ['command on a host that runs none', 'command', found(['HARD_LINK', 'COPY_DATA']), 'RELAY'],
  ['no random writes, and a server that copies', 'auto', found(['HARD_LINK', 'COPY_DATA', 'COMMAND']), 'COPY_DATA'],
  ['no random writes, and a shell', 'auto', found(['HARD_LINK', 'COMMAND']), 'COMMAND'],
  ['a host that can nothing', 'auto', found([]), undefined],
  ['a host that can nothing but refuse', 'auto', found([], true), 'RELAY'],
])('%s (%s)', (_, configured, powers, strategy) => {
  expect(chooseStrategy(configured, powers)).toBe(strategy);
});

it.each<[HostProfile['strategy'], readonly HostCapability[], readonly string[]]>([
  ['auto', ['COMMAND', 'COPY_DATA'], ['COPY_DATA', 'COMMAND', 'RELAY']],
  ['in-place', ['COPY_DATA'], ['COPY_DATA', 'RELAY']],
  ['copy-data', [], ['RELAY']],
  ['command', ['COMMAND', 'COPY_DATA'], ['COMMAND', 'RELAY']],
  ['relay', ['COMMAND', 'COPY_DATA'], ['RELAY']],
])('with strategy %s a host that can %j is tried with %j, in that order', (configured, capabilities, copiers) => {
  expect(chooseCopiers(configured, capabilities)).toEqual(copiers);
});
