import type { HostProfile } from '../core/ports.js';

/** What the process was told, checked and complete: bytes, milliseconds, absolute local paths. Frozen throughout. */
export interface Config {
  readonly listen: ListenConfig;
  readonly logLevel: LogLevel;
  /** URL of the Redis server; undefined: claims, progress and merges are kept in memory, for one process. */
  readonly redis?: string;
  readonly auth: AuthConfig;
  /** Whether clients may ask for the schema. */
  readonly introspection: boolean;
  readonly metrics: MetricsConfig;
  /** At least one; ids are unique. */
  readonly hosts: readonly HostConfig[];
  readonly limits: LimitsConfig;
}

export interface MetricsConfig {
  /** What readers of `/metrics` have to show. */
  readonly token?: string;
  /** Where monitoring has a port of its own; undefined: nowhere. */
  readonly listen?: { readonly address: string; readonly port: number };
}

export interface ListenConfig {
  /** A name or address of this machine; loopback when `auth.mode` is none. */
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  /** Origins of other sites whose pages may call, as browsers send them: `https://files.example.com`. */
  readonly origins: readonly string[];
  /** Addresses and ranges of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** PEM of the certificate chain and of its private key; undefined: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly privateKey: string };
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export type AuthConfig = { readonly mode: 'none' } | JwtAuthConfig;

export interface JwtAuthConfig {
  readonly mode: 'jwt';
  readonly jwt: JwtConfig;
  /** Undefined: derived from the shared secret, or a new one at each start. */
  readonly ticketSecret?: string;
  readonly ticketTtlMs: number;
}

export interface JwtConfig {
  readonly key: JwtKey;
  /** Undefined: those the key is for. */
  readonly algorithms?: readonly JwtAlgorithm[];
  readonly issuer?: string;
  readonly audience?: string;
  readonly personClaim: string;
  readonly groupsClaim: string;
  readonly clockToleranceMs: number;
}

export type JwtAlgorithm = 'HS256' | 'RS256' | 'ES256' | 'EdDSA';

export type JwtKey =
  | { readonly kind: 'secret'; readonly secret: string }
  /** `pem`: SubjectPublicKeyInfo. */
  | { readonly kind: 'public-key'; readonly pem: string }
  | { readonly kind: 'jwks'; readonly url: string };

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
  readonly uploadsPerPerson: number;
  readonly bytesPerPerson: number;
  readonly claimsPerPerson: number;
  readonly callsPerSecondPerPerson: number;
  readonly callsPerSecondPerAddress: number;
  /** A claim ends this long after its upload's last call. */
  readonly claimTtlMs: number;
  /** An unfinished upload is swept this long after it was last touched; a finished one is remembered as long. */
  readonly stagingTtlMs: number;
}
