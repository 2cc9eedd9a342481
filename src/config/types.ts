import type { HostProfile } from '../core/ports.js';

/** What the process was told, checked and complete: bytes, milliseconds, absolute local paths. Frozen throughout. */
export interface Config {
  readonly listen: ListenConfig;
  readonly logLevel: LogLevel;
  /** URL of the Redis server; undefined: claims, progress and merges are kept in memory, for one process. */
  readonly redis?: string;
  readonly auth: AuthConfig;
  /** At least one; ids are unique. */
  readonly hosts: readonly HostConfig[];
  readonly limits: LimitsConfig;
}

export interface ListenConfig {
  /** A name or address of this machine; loopback when `auth.mode` is none. */
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /** Origins of other sites whose pages may call, as browsers send them: `https://files.example.com`. */
  readonly origins: readonly string[];
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface AuthConfig {
  readonly mode: 'none';
}

export type HostConfig = SshHostConfig | EmbeddedHostConfig;

export interface SshHostConfig {
  readonly kind: 'ssh';
  readonly profile: HostProfile;
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly authentication: HostAuthentication;
  /** Fingerprints as `ssh-keygen -l` prints them, `SHA256:…`. At least one of this and `knownHosts` is there. */
  readonly hostKeys?: readonly string[];
  /** Content of a file in the format of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
  readonly knownHosts?: string;
}

export type HostAuthentication =
  | { readonly kind: 'password'; readonly password: string }
  /** `privateKey` is the key file's content. */
  | { readonly kind: 'key'; readonly privateKey: string; readonly passphrase?: string }
  /** `socket`: path of the agent's socket. */
  | { readonly kind: 'agent'; readonly socket: string };

/** An SSH server inside this process. */
export interface EmbeddedHostConfig {
  readonly kind: 'embedded';
  readonly profile: HostProfile;
  /** The local directory that is the host's `/`. */
  readonly directory: string;
  /** 0: any free port. */
  readonly port: number;
  /** Where it keeps its keys between runs; not below `directory`. */
  readonly stateDirectory: string;
}

export interface LimitsConfig {
  /** Chunk size of clients that don't ask for another. */
  readonly chunkBytes: number;
  readonly maxChunkBytes: number;
  readonly maxFileBytes: number;
  readonly chunksInFlightPerPerson: number;
  /** A claim ends this long after its upload's last call. */
  readonly claimTtlMs: number;
  /** An unfinished upload is swept this long after it was last touched; a finished one is remembered as long. */
  readonly stagingTtlMs: number;
}
