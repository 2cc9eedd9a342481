// Hashing what lies on a host, there where that is possible. What is long goes on where a run before this one stopped.
import type { Host } from '../core/ports.js';
import type { HashCommand, HashWhole, OnChunkHash } from './hash-command.js';
import type { Hasher } from './probe.js';
import { hashChunksBySftp, hashWholeByServer } from './sftp-hash.js';
import { hashChunksByTool, hashWholeByTool } from './tool-hash.js';

/** The hash of a whole file, lower-case hex. `HOST_UNSUPPORTED` when it is too large for the host's way of hashing. */
export function hashWhole(
  host: Host,
  hasher: Hasher,
  command: HashWhole,
  onProgress: (doneBytes: number) => void,
): Promise<string> {
  if (hasher === 'server') return hashWholeByServer(host, command, onProgress);
  return hashWholeByTool(host, hasher, command, onProgress);
}

/** SHA-256 of every chunk, each once, in any order. */
export async function hashChunks(
  host: Host,
  hasher: Hasher | 'gateway',
  command: HashCommand,
  onChunk: OnChunkHash,
): Promise<void> {
  if (command.plan.chunkCount === 0) return;
  if (hasher === 'server' || hasher === 'gateway') return hashChunksBySftp(host, hasher, command, onChunk);
  return hashChunksByTool(host, hasher, command, onChunk);
}
