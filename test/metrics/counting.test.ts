import { expect, it } from 'vitest';
import type { AuditEvent, Host, HostRepository } from '../../src/core/ports.js';
import { unproved } from '../../src/core/progress.js';
import { Metrics } from '../../src/metrics/metrics.js';
import { longshoreWith } from '../http/support.js';
import { parseExposition, valueOf } from '../support/exposition.js';
import { keptAudit } from '../support/roles.js';

const ANN = { person: 'ann', groups: [] };
const FILE = { hostId: 'h', fullPath: '/film.mov', hashCode: 'film' };

it('a subscription that is left between two states counts no longer, and its source is left', async () => {
  const metrics = new Metrics();
  let isLeft = false;
  const states = async function* () {
    try {
      for (;;) yield unproved({ phase: 'RECEIVING', doneBytes: 0, totalBytes: 1, updatedAt: 0 });
    } finally {
      isLeft = true;
    }
  };
  const calls = metrics.calls(longshoreWith({ mergeProgress: states }));
  const iterator = calls.mergeProgress(ANN, FILE)[Symbol.asyncIterator]();
  await iterator.next();
  expect(valueOf((await metrics.read()).text, 'longshore_subscriptions')).toBe(1);
  await iterator.return?.();
  await iterator.return?.();
  expect([isLeft, valueOf((await metrics.read()).text, 'longshore_subscriptions')]).toEqual([true, 0]);
});

it('refusals that share a line count each, and a code that is none of ours makes no label', async () => {
  const metrics = new Metrics();
  const kept = keptAudit();
  const audit = metrics.audit(kept);
  const events: readonly AuditEvent[] = [
    { action: 'request', result: 'RATE_LIMITED', details: { count: 7 } },
    { action: 'request', result: 'RATE_LIMITED' },
    { action: 'request', result: '"}\nevil 1' },
    { action: 'request', result: 'undefined' },
  ];
  for (const event of events) audit.record(event);
  expect(kept.events).toEqual(events);
  const samples = parseExposition((await metrics.read()).text).get('longshore_problems_total')?.samples;
  expect(samples?.map(({ labels, value }) => [labels['code'], value])).toEqual([
    ['RATE_LIMITED', 8],
    ['OTHER', 2],
  ]);
});

it('a call that throws is timed, passes its error on, and leaves nothing under way', async () => {
  const metrics = new Metrics();
  const failing = metrics.calls(longshoreWith({ uploadChunk: () => Promise.reject(new Error('broken')) }));
  const { signal } = new AbortController();
  const chunk = { file: FILE, index: 1, pieces: (async function* () {})(), signal };
  await expect(failing.uploadChunk(ANN, chunk)).rejects.toThrow('broken');
  const { text } = await metrics.read();
  expect(valueOf(text, 'longshore_chunks_in_flight')).toBe(0);
  expect(valueOf(text, 'longshore_chunks_total', { outcome: 'broken_off' })).toBe(1);
  expect(valueOf(text, 'longshore_call_seconds_count', { operation: 'uploadChunk' })).toBe(1);
});

it('a host is lent to whom it was asked for, and counted while it is', async () => {
  const metrics = new Metrics();
  const persons: (string | undefined)[] = [];
  const profiles = [{ id: 'h' }] as unknown as HostRepository['profiles'];
  const use: HostRepository['use'] = (_id, work, person) => {
    persons.push(person);
    return work({} as Host);
  };
  const hosts = metrics.hosts({ profiles, use, close: () => Promise.resolve() });
  const inHand = async () => valueOf((await metrics.read()).text, 'longshore_host_calls_in_flight', { host: 'h' });
  expect(await hosts.use('h', inHand, 'ann')).toBe(1);
  expect([await inHand(), persons]).toEqual([0, ['ann']]);
});
