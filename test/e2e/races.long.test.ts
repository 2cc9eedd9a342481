// Two persons, two gateways, one target: a thousand times over.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Cluster } from '../support/cluster.js';
import { startCluster } from '../support/cluster.js';
import { OutsideClient } from '../support/outside-client.js';

const RACES = 1_000;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

it('each time one gets the target, and the other is told who has it', async () => {
  const [one, other] = await Promise.all([cluster.start(), cluster.start()]);
  const ann = new OutsideClient(one, 'ann');
  const bob = new OutsideClient(other, 'bob');
  const winners = { ann: 0, bob: 0 };
  for (let race = 0; race < RACES; race++) {
    const file = { hostId: 'sshd', fullPath: join(cluster.sshd.root, `target-${race}`), hashCode: 'same' };
    const [anns, bobs] = await Promise.all([ann.status(file, 1), bob.status(file, 1)]);
    const isAnns = anns.__typename === 'UploadReady';
    winners[isAnns ? 'ann' : 'bob'] += 1;
    const [won, lost] = isAnns ? [anns, bobs] : [bobs, anns];
    expect(won).toMatchObject({ __typename: 'UploadReady' });
    expect(lost).toMatchObject({ __typename: 'UploadLocked', holder: isAnns ? 'ann' : 'bob', mine: false });
  }
  console.log(`won: ${JSON.stringify(winners)}`);
  expect(Math.min(winners.ann, winners.bob)).toBeGreaterThan(0);
});
