// What the exit code of the command says; `--help` has the same table. From 130 on they are those that shells report for signals.

import { GatewayError, GaveUpError, NetworkError, StoppedError, UploadError } from '../client/errors.js';

export const EXIT = { ok: 0, failed: 1, usage: 2, refused: 3, unreachable: 4, interrupted: 130, unread: 141 } as const;

export const EXIT_CODES_HELP = `
Exit codes:
  0    done
  1    failed; what is on the host stays, and the same command goes on,
       unless the message says otherwise
  2    wrong usage
  3    refused: a file is there, another upload has the path, or not allowed
  4    the gateway can't be reached
  130  interrupted; the same command goes on
  141  nobody reads the output any more`;

/** Wrong use of the command: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Answers that somebody must decide about before another attempt makes sense. */
const REFUSALS: readonly string[] = [
  'FILE_EXISTS',
  'UPLOAD_LOCKED',
  'PERMISSION_DENIED',
  'HOST_UNKNOWN',
  'INVALID_PATH',
  'INVALID_TARGET',
  'TARGET_CHANGED',
  'QUOTA_EXCEEDED',
  'UNAUTHENTICATED',
  'FORBIDDEN',
];

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof StoppedError) return EXIT.interrupted;
  if (error instanceof GaveUpError) return error.unreachable ? EXIT.unreachable : EXIT.failed;
  if (error instanceof NetworkError) return EXIT.unreachable;
  if (error instanceof GatewayError && error.code === 'NOT_GRAPHQL') return EXIT.unreachable;
  if (error instanceof UploadError && REFUSALS.includes(error.code)) return EXIT.refused;
  return EXIT.failed;
}
