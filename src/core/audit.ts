// Who asked for what, and what came of it: a line for each call that makes, shows or ends something, and for each that was refused.
import type { Caller, FileRefInput, Longshore } from './answers.js';
import type { Operation } from './access.js';
import type { UploadIdentity } from './file-ref.js';
import type { Audit, AuditEvent } from './ports.js';
import { AccessError, InputError } from './problems.js';
import type { MergeProgress } from './progress.js';

type Details = NonNullable<AuditEvent['details']>;

interface About {
  readonly action: Operation;
  readonly caller: Caller;
  readonly file?: FileRefInput;
  readonly details?: Details;
  /** Aborts when the client is gone. */
  readonly signal?: AbortSignal;
}

/** The same, and `audit` hears of each call. A chunk that is stored is no event: there may be a hundred thousand. */
export function audited(longshore: Longshore, audit: Audit): Longshore {
  const record = (about: About, result: string, details?: Details) => audit.record(eventOf(about, result, details));
  const calling = async <T>(about: About, call: () => Promise<T>): Promise<T> => {
    try {
      const answer = await call();
      if (!(about.action === 'uploadChunk' && resultOf(answer) === DONE)) record(about, resultOf(answer), kindOf(answer));
      return answer;
    } catch (error) {
      // What broke over that is no fault of ours.
      record(about, about.signal?.aborted === true ? CLIENT_LEFT : codeOf(error));
      throw error;
    }
  };
  return {
    hosts: (caller) => calling({ action: 'hosts', caller }, () => longshore.hosts(caller)),
    uploads: (caller, input) => {
      const details = input.hostId === undefined ? {} : { hostId: short(input.hostId) };
      return calling({ action: 'uploads', caller, details }, () => longshore.uploads(caller, input));
    },
    uploadStatus: (caller, input) => {
      const { file, size, ifExists, takeOver } = input;
      const details = { sizeBytes: size, ifExists, ...(takeOver && { takeOver }) };
      return calling({ action: 'uploadStatus', caller, file, details }, () => longshore.uploadStatus(caller, input));
    },
    dirInfo: (caller, file) => calling({ action: 'dirInfo', caller, file }, () => longshore.dirInfo(caller, file)),
    uploadChunk: (caller, input) => {
      const { file, signal, index } = input;
      const about: About = { action: 'uploadChunk', caller, file, details: { index }, signal };
      return calling(about, () => longshore.uploadChunk(caller, input));
    },
    mergeFile: (caller, input) => {
      const details = { ifExists: input.ifExists };
      return calling({ action: 'mergeFile', caller, file: input.file, details }, () => longshore.mergeFile(caller, input));
    },
    abortUpload: (caller, file) => calling({ action: 'abortUpload', caller, file }, () => longshore.abortUpload(caller, file)),
    mergeProgress: (caller, file) => {
      const about: About = { action: 'mergeProgress', caller, file };
      return beginning(
        longshore.mergeProgress(caller, file),
        (first) => record(about, first.problem?.code ?? DONE, { phase: first.phase }),
        (error) => record(about, codeOf(error)),
      );
    },
  };
}

/** What became of a merge: nobody's call. */
export function mergeEvent(
  { person, hostId, target, hashCode }: Pick<UploadIdentity, 'person' | 'hostId' | 'target' | 'hashCode'>,
  result: string,
  details?: Details,
): AuditEvent {
  return { action: 'publish', result, person, hostId, fullPath: target, hashCode, ...(details && { details }) };
}

const DONE = 'done';
const CLIENT_LEFT = 'CLIENT_LEFT';
/** Of any text: as long as a path may be. */
const MAX_LETTERS = 4_096;

/** What nobody has checked yet may be as long as a request. */
function short(text: string): string {
  return text.length <= MAX_LETTERS ? text : `${text.slice(0, MAX_LETTERS)}…`;
}

function eventOf({ action, caller, file, details }: About, result: string, more?: Details): AuditEvent {
  const { person, request, ticketFor } = caller;
  const own = { ...details, ...more, ...(ticketFor !== undefined && { byTicket: true }) };
  return {
    action,
    result,
    person,
    ...(request && { requestId: request.id }),
    ...(request?.address !== undefined && { address: request.address }),
    ...(file && { hostId: short(file.hostId), fullPath: short(file.fullPath), hashCode: short(file.hashCode) }),
    ...(Object.keys(own).length > 0 && { details: own }),
  };
}

function resultOf(answer: unknown): string {
  return hasText(answer, 'code') ? answer.code : DONE;
}

function kindOf(answer: unknown): Details | undefined {
  return hasText(answer, 'kind') && !hasText(answer, 'code') ? { answer: answer.kind } : undefined;
}

function hasText<Key extends string>(value: unknown, key: Key): value is Readonly<Record<Key, string>> {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[key] === 'string';
}

function codeOf(error: unknown): string {
  if (error instanceof InputError) return 'BAD_USER_INPUT';
  return error instanceof AccessError ? error.code : 'INTERNAL_SERVER_ERROR';
}

/** The same states; `onFirst` hears of the first, or `onError` that there is none. Leaving ends the source at once, as before. */
function beginning(
  states: AsyncIterable<MergeProgress>,
  onFirst: (first: MergeProgress) => void,
  onError: (error: unknown) => void,
): AsyncIterable<MergeProgress> {
  return {
    [Symbol.asyncIterator]() {
      const source = states[Symbol.asyncIterator]();
      let isFirst = true;
      const first = () => {
        const was = isFirst;
        isFirst = false;
        return was;
      };
      return {
        async next() {
          try {
            const result = await source.next();
            if (first() && result.done !== true) onFirst(result.value);
            return result;
          } catch (error) {
            if (first()) onError(error);
            throw error;
          }
        },
        return: async () => (await source.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
}
