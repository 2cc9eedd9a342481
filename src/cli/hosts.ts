// `longshore hosts`: where files can be put.

import { connectGateway, type HostInfo } from '../client/index.js';
import { EXIT } from './exit-codes.js';
import { formatBytes, formatTable } from './format.js';
import { transportOptions, type GatewayOptions } from './gateway-options.js';
import type { Terminal } from './terminal.js';

const HEAD = ['HOST', 'NAME', 'STATE', 'FREE', 'STRATEGY', 'ROOTS'] as const;

export async function hosts(options: GatewayOptions & { readonly json: boolean }, terminal: Terminal): Promise<number> {
  const found = await connectGateway(transportOptions(options)).hosts(new AbortController().signal);
  if (options.json) for (const host of found) terminal.print(JSON.stringify(host));
  else if (found.length === 0) terminal.say('no host that you may use');
  else terminal.print(formatTable(HEAD, found.map(rowOf), terminal.columns));
  return EXIT.ok;
}

function rowOf({ id, name, reachable, freeBytes, strategy, roots }: HostInfo): string[] {
  return [
    id,
    name,
    reachable ? 'reachable' : 'unreachable',
    freeBytes === null ? '-' : formatBytes(freeBytes),
    strategy?.toLowerCase().replaceAll('_', '-') ?? '-',
    roots.join(' '),
  ];
}
