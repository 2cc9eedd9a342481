import { PacketType, MalformedPacket, packet, string, uint32 } from './wire.js';

/** draft-ietf-secsh-filexfer-02 section 7. */
export const Status = {
  ok: 0,
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const;
export type StatusCode = (typeof Status)[keyof typeof Status];

const TEXTS: Readonly<Record<StatusCode, string>> = {
  [Status.ok]: 'Success',
  [Status.endOfFile]: 'End of file',
  [Status.noSuchFile]: 'No such file',
  [Status.permissionDenied]: 'Permission denied',
  [Status.failure]: 'Failure',
  [Status.badMessage]: 'Bad message',
  [Status.unsupported]: 'Operation unsupported',
};

/** Ends a request with a status of its own. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: StatusCode;

  constructor(code: StatusCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** As errno_to_portable of OpenSSH's sftp-server; everything else is FAILURE. */
const ERRNO_STATUS: ReadonlyMap<string, StatusCode> = new Map<string, StatusCode>([
  ['ENOENT', Status.noSuchFile],
  ['ENOTDIR', Status.noSuchFile],
  ['EBADF', Status.noSuchFile],
  ['ELOOP', Status.noSuchFile],
  ['EPERM', Status.permissionDenied],
  ['EACCES', Status.permissionDenied],
  ['EFAULT', Status.permissionDenied],
  ['ENAMETOOLONG', Status.badMessage],
  ['EINVAL', Status.badMessage],
  ['ENOSYS', Status.unsupported],
]);

/** The errno's name when `error` is a system error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function statusReply(id: number, code: StatusCode, detail?: string): Buffer {
  const text = detail === undefined ? TEXTS[code] : `${TEXTS[code]}: ${detail}`;
  return packet(PacketType.status, uint32(id), uint32(code), string(Buffer.from(text)), string(''));
}

/** Whether a request may end in this; anything else is a fault of ours. */
export function isExpected(error: unknown): boolean {
  if (error instanceof StatusError || error instanceof MalformedPacket) return true;
  return (error instanceof Error && error.name === 'AbortError') || /^E[A-Z0-9]+$/.test(errnoOf(error) ?? '');
}

/** The reply to a request that threw. Tells the errno's name but never the error's text, which has real paths in it. */
export function errorReply(id: number, error: unknown): Buffer {
  if (error instanceof StatusError) return statusReply(id, error.code, error.message);
  if (error instanceof MalformedPacket) return statusReply(id, Status.badMessage, error.message);
  const errno = errnoOf(error);
  return statusReply(id, ERRNO_STATUS.get(errno ?? '') ?? Status.failure, errno);
}
