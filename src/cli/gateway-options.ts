// The options by which every client command finds its gateway and says who is asking.

import { Option, type Command } from 'commander';
import { UsageError } from './exit-codes.js';
import type { TransportOptions } from '../client/index.js';

export interface GatewayOptions {
  readonly url: string;
  readonly token?: string;
  readonly person?: string;
}

const DEFAULT_URL = 'http://127.0.0.1:4000';

export function withGatewayOptions(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'the gateway').env('LONGSHORE_URL').default(DEFAULT_URL))
    .addOption(new Option('--token <token>', 'bearer token: who you are').env('LONGSHORE_TOKEN'))
    .addOption(new Option('--person <id>', 'your name where no token is asked').env('LONGSHORE_PERSON'));
}

export function transportOptions({ url, token, person }: GatewayOptions): TransportOptions {
  return { endpoint: endpointOf(url), personId: person, ...(token === undefined ? {} : { token: () => token }) };
}

/** The GraphQL endpoint of a gateway given by that or by its base URL. Throws `UsageError`. */
export function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new UsageError(`--url must be an http(s) URL, not "${text}"`);
  if (!url.pathname.endsWith('/graphql')) url.pathname = `${url.pathname.replace(/\/+$/, '')}/graphql`;
  return url.href;
}
