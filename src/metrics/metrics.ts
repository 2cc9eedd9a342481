// What an operator measures, in the format of Prometheus. Secret: prom-client, and where each number comes from. Parts are measured from
// outside, through the ports that they speak by, and don't know of it. Built by compose; may import core and prom-client.
import { Registry, collectDefaultMetrics } from 'prom-client';
import type { Longshore } from '../core/answers.js';
import type { Ledger } from '../core/ledger.js';
import type { Audit, HostRepository } from '../core/ports.js';
import { countedEvents } from './events.js';
import { createInstruments } from './instruments.js';
import type { Instruments } from './instruments.js';
import { measuredCalls } from './calls.js';

/** What is looked at when somebody reads. */
export interface MetricSources {
  readonly hosts: () => readonly HostCounts[];
  /** May reject: then there is no number. */
  readonly mergeJobs: () => Promise<{ readonly waiting: number; readonly running: number }>;
}

export interface HostCounts {
  readonly host: string;
  readonly connections: number;
  readonly channels: number;
  readonly isAway: boolean;
}

export interface MetricsOptions {
  /** Also of Node and the process: memory, processor, event loop, descriptors. Once in a process: what it takes for that stays. */
  readonly ofProcess?: boolean;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #instruments: Instruments;
  #sources: Partial<MetricSources> = {};
  #webSockets: () => number = () => 0;

  constructor({ ofProcess = false }: MetricsOptions = {}) {
    this.#instruments = createInstruments(this.#registry);
    if (ofProcess) collectDefaultMetrics({ register: this.#registry });
  }

  watch(sources: MetricSources): void {
    this.#sources = sources;
  }

  watchWebSockets(count: () => number): void {
    this.#webSockets = count;
  }

  /** The same, and each call is measured. */
  calls(longshore: Longshore): Longshore {
    return measuredCalls(longshore, this.#instruments);
  }

  /** The same, and what it records is counted. */
  audit(audit: Audit): Audit {
    return countedEvents(audit, this.#instruments);
  }

  /** The same, and what is entered anew counts as an upload that was begun. */
  ledger(ledger: Ledger): Ledger {
    const { uploads } = this.#instruments;
    return {
      async enter(entry, bounds) {
        const outcome = await ledger.enter(entry, bounds);
        // Without bounds it was there already, and only its line had lapsed.
        if (bounds !== undefined && outcome.kind === 'entered' && outcome.isNew) uploads.inc({ stage: 'begun' });
        return outcome;
      },
      leave: (upload) => ledger.leave(upload),
    };
  }

  /** The same, and who has a host in hand is counted. */
  hosts(hosts: HostRepository): HostRepository {
    const { hostCalls } = this.#instruments;
    const ids = new Set(hosts.profiles.map(({ id }) => id));
    for (const host of ids) hostCalls.set({ host }, 0);
    return {
      profiles: hosts.profiles,
      async use(host, work, person) {
        if (!ids.has(host)) return hosts.use(host, work, person);
        hostCalls.inc({ host });
        try {
          return await hosts.use(host, work, person);
        } finally {
          hostCalls.dec({ host });
        }
      },
      close: () => hosts.close(),
    };
  }

  /** All of it, in the text format 0.0.4. */
  async read(): Promise<{ readonly contentType: string; readonly text: string }> {
    await this.#look();
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  async #look(): Promise<void> {
    const { mergeJobs, webSockets, hostConnections, hostChannels, hostAway } = this.#instruments;
    webSockets.set(this.#webSockets());
    for (const { host, connections, channels, isAway } of this.#sources.hosts?.() ?? []) {
      hostConnections.set({ host }, connections);
      hostChannels.set({ host }, channels);
      hostAway.set({ host }, isAway ? 1 : 0);
    }
    // A number from before would be taken for today's.
    const jobs = await this.#sources.mergeJobs?.().catch(() => undefined);
    if (jobs === undefined) return mergeJobs.reset();
    mergeJobs.set({ state: 'waiting' }, jobs.waiting);
    mergeJobs.set({ state: 'running' }, jobs.running);
  }
}
