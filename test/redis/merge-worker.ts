// A process that takes merge jobs and never ends one, for tests to kill. Arguments: URL and prefix. Says `<job>` for each it begins.
import { connectRedis } from '../../src/redis/connection.js';
import { RedisMergeQueue } from '../../src/redis/merge-queue.js';
import { keptLog } from '../support/roles.js';

const [url = '', prefix = ''] = process.argv.slice(2);
const log = keptLog();
const redis = connectRedis({ url, log, prefix });
const queue = new RedisMergeQueue({ ttlMs: 60_000, redis, log, concurrency: 4, concurrencyPerHost: 2 });
queue.process(
  (job) => {
    process.stdout.write(`${job.id}\n`);
    return new Promise(() => undefined);
  },
  async () => undefined,
);
