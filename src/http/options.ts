import type { Longshore } from '../core/answers.js';
import type { Audit, Log } from '../core/ports.js';
import type { Authenticate } from './identity/authentication.js';
import type { OperationsOptions } from './pages/operations.js';

export interface ServerOptions extends OperationsOptions {
  readonly longshore: Longshore;
  readonly log: Log;
  /** Address to listen on. */
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
  /** PEM of the certificate chain and of its private key. Default: plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly privateKey: string } | undefined;
  /** Origins of other sites whose pages may use the API, such as `https://files.example.com`. Our own needs no entry. */
  readonly origins?: readonly string[];
  /** Addresses and ranges of proxies whose `X-Forwarded-For` is believed. Default: none. */
  readonly trustedProxies?: readonly string[];
  /** Whether clients may ask for the schema. Default true. */
  readonly introspection?: boolean;
  readonly limits: ServerLimits;
  /** Tells who asks. Default: whoever the client says, for `auth.mode: none`. */
  readonly authenticate?: Authenticate;
  /** Answer only requests to a loopback name or address in `Host`. To be set whenever nobody has to prove who he is. Default true. */
  readonly loopbackOnly?: boolean;
  /** Hears of what is refused before it becomes a call. Default: nobody. */
  readonly audit?: Audit;
}

export interface ServerLimits {
  /** Largest chunk, bytes. A larger one is refused with `PAYLOAD_TOO_LARGE`. */
  readonly maxChunkBytes: number;
  /** Calls a second that may go on for ever; ten times as many may come at once. Default 500. */
  readonly callsPerSecondPerPerson?: number;
  /** The same for an IPv4 address or an IPv6 network of 64 bits, pages included. Default 1 000. */
  readonly callsPerSecondPerAddress?: number;
  /** Live subscriptions, event streams included. Default 5 000. */
  readonly subscriptionsPerPerson?: number | undefined;
  /** Connections of all kinds; further ones are closed at once. Default 10 000. */
  readonly maxConnections?: number | undefined;
  /** Longest time for the head of a request, ms. Default 10 000. */
  readonly headersTimeoutMs?: number;
  /** Longest silence of a client that still owes bytes of its body, ms. Default 30 000. */
  readonly idleTimeoutMs?: number;
  /** Over so long a body has to come at a kibibyte a second on average, ms. Default 30 000. */
  readonly rateWindowMs?: number;
  /** Longest time for a whole body without a file, ms. Default 120 000: the largest takes 64 s at 4 KiB a second. */
  readonly operationTimeoutMs?: number;
  /** Longest time in which a client takes nothing of its answer, ms. Default 60 000. */
  readonly unreadTimeoutMs?: number;
  /** WebSockets that haven't said who they are: each may take three seconds, and costs about 20 KiB. Default 4 096. */
  readonly maxUngreeted?: number | undefined;
}
