// The small roles of core, as tests of adapters use them: the real clock, and a log that keeps what it is told.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Audit, AuditEvent, Clock, Log, LogFields } from '../../src/core/ports.js';

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
};

/** Far more than a test needs. */
export const WIDE_QUOTAS = { uploadsPerPerson: 10_000, bytesPerPerson: 2 ** 50, claimsPerPerson: 10_000 };

export interface KeptAudit extends Audit {
  readonly events: readonly AuditEvent[];
}

export function keptAudit(): KeptAudit {
  const events: AuditEvent[] = [];
  return { events, record: (event) => void events.push(event) };
}

export interface KeptLog extends Log {
  readonly entries: readonly { readonly event: string; readonly fields: LogFields }[];
}

export function keptLog(): KeptLog {
  const entries: { event: string; fields: LogFields }[] = [];
  const keep = (fields: LogFields, event: string): void => void entries.push({ event, fields });
  return { entries, debug: keep, info: keep, warn: keep, error: keep };
}
