// Clock, randomness, hashing and log of this process, for core's ports.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import type { Audit, Clock, Hashing, Log } from './core/ports.js';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

/**
 * To be told of the bytes that pass through this process: every so many it collects the garbage that they leave. Each leaves about
 * three behind, in buffers whose memory V8 doesn't count as its own, so that it would let 32 MiB pile up. `collectEveryBytes` is no
 * less than what is under way at once (the write windows of some channels), or buffers in use would survive two collections, be taken
 * for long-lived, and pile up all the same. A collection takes about 1 ms.
 */
export function createGarbageCount({ collectEveryBytes }: { readonly collectEveryBytes: number }): (bytes: number) => void {
  const collect = youngCollector();
  let passedBytes = 0;
  return (bytes) => {
    passedBytes += bytes;
    if (passedBytes < collectEveryBytes) return;
    passedBytes = 0;
    collect();
  };
}

/** Hashing by OpenSSL. `onBytes` is told of what is hashed: of every content byte that comes in. */
export function createHashing({ onBytes }: { readonly onBytes: (bytes: number) => void }): Hashing {
  return {
    start(algorithm) {
      const hash = createHash(algorithm);
      return {
        update(piece) {
          hash.update(piece);
          onBytes(piece.length);
        },
        digest: () => hash.digest('hex'),
      };
    },
    sha256: (data) => createHash('sha256').update(data).digest('hex'),
    nonce: (bytes) => randomBytes(bytes).toString('hex'),
  };
}

/** Collects young garbage alone. Node offers it to processes started with --expose-gc; this asks for it while running. */
function youngCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
  setFlagsFromString('--no-expose-gc');
  return () => gc({ type: 'minor' });
}

/** Of lines that whoever reads them doesn't take; further ones are lost rather than the process. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024;

/** Lines of JSON on standard error, so that standard output is free for what a person asked for. */
export function createLog(level: string): Log {
  const options = { level, base: null, serializers: { err: pino.stdSerializers.errWithCause } };
  const destination = pino.destination({ dest: 2, sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  return pino(options, { write: (line) => void destination.write(visible(line)) });
}

/** Into the same lines, whatever the log's level is, unless that is `silent`. */
export function createAudit(level: string): Audit {
  return auditInto(createLog(level === 'silent' ? level : 'info'));
}

export function auditInto(log: Log): Audit {
  return { record: (audit) => log.info({ audit }, 'audit') };
}

/** What a terminal would obey, or hide: C1 and DEL, format characters such as bidirectional overrides, line and paragraph separators. */
const INVISIBLE = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same JSON, with such characters as escapes, so that no name or path can make a line look like another. */
export function visible(json: string): string {
  return json.replace(INVISIBLE, (character) => {
    const first = escapeOf(character.charCodeAt(0));
    return character.length === 1 ? first : first + escapeOf(character.charCodeAt(1));
  });
}

function escapeOf(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
