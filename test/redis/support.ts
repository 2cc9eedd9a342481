// A Redis server and connections to it, for tests of what only Redis has.
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { RedisConnection } from '../../src/redis/connection.js';
import { connectRedis } from '../../src/redis/connection.js';
import type { KeptLog } from '../support/roles.js';
import { keptLog } from '../support/roles.js';

/** As many connections as wanted to the same keys: each is what one process would have. */
export class Processes {
  readonly log: KeptLog = keptLog();
  readonly #url: string;
  readonly #prefix = randomUUID();
  readonly #connections: RedisConnection[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  connect(): RedisConnection {
    const connection = connectRedis({ url: this.#url, log: this.log, prefix: this.#prefix });
    this.#connections.push(connection);
    return connection;
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

/** What every call promises while the store is away. */
export async function expectUnavailable(call: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  await expect(call()).rejects.toMatchObject({ name: 'Fault', code: 'COORDINATION_UNAVAILABLE' });
  expect(performance.now() - startedAt).toBeLessThan(2_000);
}
