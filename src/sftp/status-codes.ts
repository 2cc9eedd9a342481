// What ssh2 and SFTP servers say when something fails, translated once into the faults of core.
import { Fault, type FaultCode } from '../core/problems.js';

/** draft-ietf-secsh-filexfer-02 §7; above 8 from later drafts, which some servers use although they speak version 3. */
export const SftpStatus = {
  OK: 0,
  EOF: 1,
  NO_SUCH_FILE: 2,
  PERMISSION_DENIED: 3,
  FAILURE: 4,
  BAD_MESSAGE: 5,
  NO_CONNECTION: 6,
  CONNECTION_LOST: 7,
  OP_UNSUPPORTED: 8,
  NO_SUCH_PATH: 10,
  FILE_ALREADY_EXISTS: 11,
  WRITE_PROTECT: 12,
  NO_SPACE_ON_FILESYSTEM: 14,
  QUOTA_EXCEEDED: 15,
} as const;

const FAULT_OF_STATUS: ReadonlyMap<number, FaultCode> = new Map<number, FaultCode>([
  [SftpStatus.NO_SUCH_FILE, 'NOT_FOUND'],
  [SftpStatus.NO_SUCH_PATH, 'NOT_FOUND'],
  [SftpStatus.PERMISSION_DENIED, 'PERMISSION_DENIED'],
  [SftpStatus.WRITE_PROTECT, 'PERMISSION_DENIED'],
  [SftpStatus.NO_CONNECTION, 'HOST_UNREACHABLE'],
  [SftpStatus.CONNECTION_LOST, 'HOST_UNREACHABLE'],
  [SftpStatus.OP_UNSUPPORTED, 'HOST_UNSUPPORTED'],
  [SftpStatus.FILE_ALREADY_EXISTS, 'ALREADY_EXISTS'],
  [SftpStatus.NO_SPACE_ON_FILESYSTEM, 'NOT_ENOUGH_SPACE'],
  [SftpStatus.QUOTA_EXCEEDED, 'NOT_ENOUGH_SPACE'],
]);

/** RFC 4253 §11.1. OpenSSH ends a connection with PROTOCOL_ERROR after too many wrong keys. */
const SshDisconnect = { PROTOCOL_ERROR: 2, NO_MORE_AUTH_METHODS_AVAILABLE: 14 } as const;

/** An SFTP server refused a request. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;

  /** `text`: what the server said. */
  constructor(code: number, text: string) {
    super(text === '' ? `SFTP status ${code}` : text);
    this.code = code;
  }
}

/** The SFTP status that `error`, or the fault made of it, came from. */
export function statusOf(error: unknown): number | undefined {
  const original = error instanceof Fault ? error.cause : error;
  return original instanceof StatusError ? original.code : undefined;
}

/** The fault for a refusal; `doing` says what was asked, for the person. */
export function toFault(error: StatusError, doing: string): Fault {
  return new Fault(FAULT_OF_STATUS.get(error.code) ?? 'FAILURE', `${doing}: ${error.message}`, { cause: error });
}

/** How far a connection had come when it failed. */
export type ConnectionPhase = 'handshake' | 'authentication' | 'ready';

/** The fault for an error of the SSH connection itself. A host key that was refused is known to the verifier, not here. */
export function toConnectionFault(error: Error, phase: ConnectionPhase, host: string): Fault {
  return new Fault(codeOfConnectionError(error, phase), `${host}: ${error.message}`, { cause: error });
}

/** ssh2 says `no matching …` when a server offers only algorithms that we don't: that doesn't pass by waiting. */
function codeOfConnectionError(error: Error, phase: ConnectionPhase): FaultCode {
  if (isAuthenticationError(error, phase)) return 'HOST_AUTH_FAILED';
  return phase === 'handshake' && /\bno matching\b/i.test(error.message) ? 'HOST_UNSUPPORTED' : 'HOST_UNREACHABLE';
}

/**
 * The fault for a session that could not be opened. A server that opens no further channel tells a reason (RFC 4254 §5.1; sshd does
 * so beyond MaxSessions); one that refuses the subsystem or the command makes ssh2 say `Unable to …`.
 */
export function toSessionFault(error: Error, doing: string): Fault {
  return new Fault(codeOfSessionError(error), `${doing}: ${error.message}`, { cause: error });
}

function codeOfSessionError(error: Error): FaultCode {
  if (propertyOf(error, 'reason') !== undefined) return 'HOST_BUSY';
  return error.message.startsWith('Unable to ') ? 'HOST_UNSUPPORTED' : 'HOST_UNREACHABLE';
}

function isAuthenticationError(error: Error, phase: ConnectionPhase): boolean {
  const level = propertyOf(error, 'level');
  if (level === 'client-authentication' || level === 'agent') return true;
  if (phase !== 'authentication') return false;
  const code = propertyOf(error, 'code');
  return code === SshDisconnect.PROTOCOL_ERROR || code === SshDisconnect.NO_MORE_AUTH_METHODS_AVAILABLE;
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
