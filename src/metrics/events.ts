// Numbers that are lines of the audit, counted.
import type { Audit, AuditEvent } from '../core/ports.js';
import type { Instruments } from './instruments.js';

const DONE = 'done';
const STAGES = ['begun', 'published', 'failed', 'aborted', 'expired'];
/** Of `ProgressReporter.times`. */
const PHASES = ['queued', 'assembling', 'verifying', 'publishing'];
/** Codes are words of ours and of GraphQL's. Anything else would be somebody else's choice. */
const CODE = /^[A-Z][A-Z_]{0,49}$/;

/** The same, and what it records is counted. */
export function countedEvents(audit: Audit, instruments: Instruments): Audit {
  for (const stage of STAGES) instruments.uploads.inc({ stage }, 0);
  return {
    record(event) {
      count(event, instruments);
      audit.record(event);
    },
  };
}

function count(event: AuditEvent, { problems, uploads, mergeSeconds }: Instruments): void {
  const { action, result, details = {} } = event;
  if (result !== DONE) {
    // Refusals come together, as many as `count` says.
    const times = typeof details['count'] === 'number' ? details['count'] : 1;
    problems.inc({ operation: action, code: CODE.test(result) ? result : 'OTHER' }, times);
  }
  const stage = stageOf(event);
  if (stage !== undefined) uploads.inc({ stage });
  if (stage !== 'published') return;
  for (const phase of PHASES) {
    const ms = details[`${phase}Ms`];
    if (typeof ms === 'number') mergeSeconds.observe({ strategy: String(details['strategy']), phase }, ms / 1_000);
  }
}

function stageOf({ action, result, details }: AuditEvent): string | undefined {
  if (action === 'publish') return result === DONE ? 'published' : 'failed';
  if (result !== DONE) return undefined;
  if (action === 'expire') return 'expired';
  return action === 'abortUpload' && details?.['answer'] === 'UploadAborted' ? 'aborted' : undefined;
}
