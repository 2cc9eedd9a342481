// Every metric by name, as docs/operations.md and the dashboard have them. Units are seconds and bytes. Labels are ids of the
// configuration and words of our own: never a person, a path, or anything else that a caller chooses.
import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

export type Instruments = ReturnType<typeof createInstruments>;

const MERGE_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3_600];
/** A chunk over a slow line takes minutes. */
const CALL_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600];

export function createInstruments(registry: Registry) {
  const registers = [registry];
  return {
    callSeconds: new Histogram({
      name: 'longshore_call_seconds',
      help: 'Time from the beginning of a call to its answer, the bytes of a chunk included, by operation.',
      labelNames: ['operation'],
      buckets: CALL_BUCKETS,
      registers,
    }),
    problems: new Counter({
      name: 'longshore_problems_total',
      help: 'Refusals and failures by code: of a call, of a merge (publish), or of what never became a call (request).',
      labelNames: ['operation', 'code'],
      registers,
    }),
    uploads: new Counter({
      name: 'longshore_uploads_total',
      help: 'Uploads that came to a stage: begun, published, failed (in the merge), aborted, expired.',
      labelNames: ['stage'],
      registers,
    }),
    chunks: new Counter({
      name: 'longshore_chunks_total',
      help: 'Chunks by outcome: stored, already_stored, refused (see the problems) or broken_off.',
      labelNames: ['outcome'],
      registers,
    }),
    chunksInFlight: new Gauge({
      name: 'longshore_chunks_in_flight',
      help: 'Chunks that are being taken now.',
      registers,
    }),
    receivedBytes: new Counter({
      name: 'longshore_received_bytes_total',
      help: 'Bytes of chunks taken from clients, those that were not stored in the end included.',
      registers,
    }),
    mergeSeconds: new Histogram({
      name: 'longshore_merge_seconds',
      help: 'Time that published uploads spent in each phase of the merge, by strategy.',
      labelNames: ['strategy', 'phase'],
      buckets: MERGE_BUCKETS,
      registers,
    }),
    mergeJobs: new Gauge({
      name: 'longshore_merge_jobs',
      help: 'Merges that wait and that run, in all processes with the same Redis. Missing while that is away.',
      labelNames: ['state'],
      registers,
    }),
    subscriptions: new Gauge({
      name: 'longshore_subscriptions',
      help: 'Subscriptions to the progress of uploads, over WebSockets and event streams.',
      registers,
    }),
    webSockets: new Gauge({
      name: 'longshore_websockets',
      help: 'Open WebSockets.',
      registers,
    }),
    hostCalls: new Gauge({
      name: 'longshore_host_calls_in_flight',
      help: 'Pieces of work that have the host in hand now: calls, merges and sweeps.',
      labelNames: ['host'],
      registers,
    }),
    hostConnections: new Gauge({
      name: 'longshore_host_connections',
      help: 'SSH connections to the host.',
      labelNames: ['host'],
      registers,
    }),
    hostChannels: new Gauge({
      name: 'longshore_host_channels',
      help: 'SFTP sessions on those connections.',
      labelNames: ['host'],
      registers,
    }),
    hostAway: new Gauge({
      name: 'longshore_host_away',
      help: '1 when the last attempt to connect to the host failed, else 0.',
      labelNames: ['host'],
      registers,
    }),
  };
}
